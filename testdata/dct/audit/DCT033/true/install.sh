./install.sh --with-notary --with-trivy
helm upgrade harbor harbor/harbor --set notary.enabled=true
