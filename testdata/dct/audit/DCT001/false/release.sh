#!/bin/sh
# export DOCKER_CONTENT_TRUST=1 was here until we moved to Notation
unset DOCKER_CONTENT_TRUST
env -u DOCKER_CONTENT_TRUST docker pull acme/base:1
docker pull acme/base:1 # DOCKER_CONTENT_TRUST=1
echo "Do not set DOCKER_CONTENT_TRUST=1 any more"
cat <<EOF
  DOCKER_CONTENT_TRUST=1   verifies what is pulled
EOF
MY_DOCKER_CONTENT_TRUST=1
