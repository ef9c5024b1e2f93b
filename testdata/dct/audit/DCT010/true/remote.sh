ssh builder "docker trust sign acme/app:1"
xargs -n1 docker trust sign < images
if [ ${#IMAGES[@]} -gt 0 ]; then docker -H tcp://builder:2376 trust sign "${IMAGES[0]}"; fi
