# docker pull --disable-content-trust=false acme/app:1
echo "--disable-content-trust=false does nothing"
docker pull --disable-content-trust=true acme/app:1
