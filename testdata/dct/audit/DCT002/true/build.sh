DOCKER_CONTENT_TRUST=0 docker build .
DOCKER_CONTENT_TRUST= docker pull acme/base:1
