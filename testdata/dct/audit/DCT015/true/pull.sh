docker pull --disable-content-trust=false acme/app:1
docker build \
  --disable-content-trust=0 \
  -t acme/app .
docker pull --disable-content-trust=$OFF acme/app:1
docker pull --disable-content-trust=${OFF:-false} acme/app:1
