az acr config content-trust update --registry acme --status enabled
az acr config content-trust update -r acme \
  --status "$STATUS"
