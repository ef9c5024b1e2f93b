docker trust inspect --pretty acme/app:1
digest=$(docker trust inspect acme/app:1 | jq -r '.[0].SignedTags[0].Digest')
echo "signed: $(docker trust inspect acme/app)"
docker trust view acme/app
