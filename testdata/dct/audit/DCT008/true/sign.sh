export NOTARY_AUTH=$(printf '%s' "$USER:$PASSWORD" | base64)
