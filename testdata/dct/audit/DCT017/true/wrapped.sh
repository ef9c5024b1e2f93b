timeout 30 notary publish registry.example.com/acme/app
time notary init registry.example.com/acme/app
xargs -n 1 notary publish < list
docker run --rm -v ~/.trust:/t acme/cli:1 notary publish registry.example.com/acme/app
notary reset myrepo --all
notary publish myrepo
