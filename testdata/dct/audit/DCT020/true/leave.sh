az acr config content-trust show -r acme
az acr config content-trust update -r acme --status disabled
