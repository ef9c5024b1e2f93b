# notary publish registry.example.com/acme/app
xcrun notarytool submit app.zip --wait
echo "notary publish registry.example.com/acme/app"
grep -r notary src
./notary-check list
apt-get remove -y notary
make notary init
notation key add example
