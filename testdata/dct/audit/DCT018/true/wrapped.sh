notary list myrepo
docker exec notary notary lookup myrepo 1.0
