# az role assignment create --role AcrImageSigner
az role assignment create --scope "$REGISTRY" --role AcrPush --assignee "$USER"
