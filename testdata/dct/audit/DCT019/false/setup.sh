# az acr config content-trust update --registry acme --status enabled
echo "az acr config content-trust update --status enabled"
az acr config retention update --registry acme --status enabled
az acr config content-trust update --registry acme --status disabled
