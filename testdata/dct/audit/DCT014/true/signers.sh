docker trust signer add --key alice.pub alice acme/app
docker trust signer remove bob acme/app
