# docker trust key generate alice
notation-kms key add alice
echo "docker trust key load key.pem"
docker trust key
