# docker trust inspect acme/app
docker inspect acme/app
docker manifest inspect acme/app
log "docker trust inspect is replaced by notation inspect"
