# docker trust signer add --key alice.pub alice acme/app
echo 'docker trust signer add'
notation cert add --type ca --store acme root.pem
