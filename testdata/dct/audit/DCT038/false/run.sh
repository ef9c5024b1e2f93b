export DOCKER_CONTENT_TRUST=1
docker run --rm acme/tool python
docker pull registry.example.com/mirror/ubuntu:24.04
echo "docker pull ubuntu:24.04"
