# cp "$KEY" ~/.docker/trust/private/
cp config.json ~/.docker/
ls ~/.docker/trusted
mkdir -p /srv/trust/private
echo "copy the key to ~/.docker/trust/private"
