#!/bin/sh -e
# notary verify is what the old mirror ran
export NOTARY_TARGETS_PASSPHRASE="$(cat /run/secrets/targets)"
export NOTARY_AUTH="$(cat /run/secrets/auth)"
export DOCKER_CONTENT_TRUST_TAGGING_PASSPHRASE="$NOTARY_TARGETS_PASSPHRASE"
notary lookup registry.example.com/acme/app "$TAG" || notary publish registry.example.com/acme/app
docker trust signer add --key carol.pub carol registry.example.com/acme/app
[ -z "$OLD" ] || docker trust revoke -y "registry.example.com/acme/app:$OLD"
