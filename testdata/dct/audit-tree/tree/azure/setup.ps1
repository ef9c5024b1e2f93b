param([string] $Registry)
# az acr config content-trust update --registry $Registry --status enabled
az acr config content-trust update `
    --registry $Registry --status enabled
az acr config content-trust show --registry $Registry
Write-Host "content trust: az acr config content-trust show"
