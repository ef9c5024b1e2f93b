=begin
docker trust sign acme/app:1
=end
