docker trust revoke acme/app:1
sudo docker trust revoke --yes acme/app
