# docker trust revoke acme/app:1
echo "docker trust revoke acme/app:1"
openssl ca -revoke cert.pem
