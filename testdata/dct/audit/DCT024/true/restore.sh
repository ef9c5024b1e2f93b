mkdir -p ~/.docker/trust/private
cp "$KEY" "$HOME/.docker/trust/private/"
tar -xzf backup.tgz -C "${DOCKER_CONFIG}/trust"
cp -r ~/.notary backup
