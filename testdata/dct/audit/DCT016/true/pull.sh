docker pull --disable-content-trust acme/app:1
docker push --disable-content-trust=true acme/app:1
docker push --disable-content-trust $IMAGE
docker push --disable-content-trust=${OFF:-true} $IMAGE
