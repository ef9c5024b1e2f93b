# export DOCKER_CONTENT_TRUST_SERVER=https://notary.example.com
unset DOCKER_CONTENT_TRUST_SERVER
echo "DOCKER_CONTENT_TRUST_SERVER is not read any more"
DOCKER_CONTENT_SERVER=https://content.example.com
