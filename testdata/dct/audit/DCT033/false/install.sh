# ./install.sh --with-notary
./install.sh --with-trivy
helm upgrade harbor harbor/harbor --set notary.enabled=false
