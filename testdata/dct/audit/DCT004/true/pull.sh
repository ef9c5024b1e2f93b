export DOCKER_CONTENT_TRUST_SERVER=https://notary.example.com
curl -fsS "$DOCKER_CONTENT_TRUST_SERVER/v2/"
