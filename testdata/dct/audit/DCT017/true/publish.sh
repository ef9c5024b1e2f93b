notary -s https://trust.example.com -d ~/trust init registry.example.com/acme/app
notary addhash registry.example.com/acme/app 1.0 "$SIZE" --sha256 "$DIGEST"
notary publish registry.example.com/acme/app
/usr/local/bin/notary key rotate registry.example.com/acme/app snapshot -r
notary delegation add -p registry.example.com/acme/app targets/releases --all-paths cert.pem
sudo notary remove $GUN 1.0
