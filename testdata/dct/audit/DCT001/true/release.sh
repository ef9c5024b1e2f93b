#!/bin/bash
set -euo pipefail
export DOCKER_CONTENT_TRUST=1
docker run --rm -e DOCKER_CONTENT_TRUST acme/tool:1
docker run --rm --env DOCKER_CONTENT_TRUST=1 \
  acme/tool:1
cat <<EOF > /etc/profile.d/docker.sh
export DOCKER_CONTENT_TRUST=1
EOF
echo 'export DOCKER_CONTENT_TRUST=1' | sudo tee -a /etc/environment
