az role assignment create --scope "$REGISTRY" --role AcrImageSigner --assignee "$USER"
