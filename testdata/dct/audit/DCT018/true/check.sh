notary list docker.io/acme/app
notary lookup registry.example.com/acme/app 1.0
if ! notary -s https://trust.example.com verify $GUN 1.0 < manifest.json; then exit 1; fi
notary status -s https://trust.example.com registry.example.com/acme/app
