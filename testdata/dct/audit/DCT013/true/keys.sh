docker trust key generate alice
docker trust key load --name alice /run/secrets/key.pem
