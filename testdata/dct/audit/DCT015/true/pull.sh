docker pull --disable-content-trust=false acme/app:1
docker build \
  --disable-content-trust=0 \
  -t acme/app .
