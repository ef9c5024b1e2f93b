# docker pull --disable-content-trust acme/app:1
echo "--disable-content-trust is hidden"
docker pull --disable-content-trust=false acme/app:1
docker pull --disable-content acme/app:1
