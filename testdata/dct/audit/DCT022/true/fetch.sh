curl -fsS -H "Authorization: Bearer $TOKEN" "$SERVER/v2/$GUN/_trust/tuf/root.json"
