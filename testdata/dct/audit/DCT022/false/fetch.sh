# curl "$SERVER/v2/$GUN/_trust/tuf/root.json"
curl "$SERVER/v2/$GUN/trust/tuf/root.json"
echo "no /_trust/tuf/ any more"
