# notary list docker.io/acme/app
notation list registry.example.com/acme/app:1
echo "notary list docker.io/acme/app"
systemctl status notary
