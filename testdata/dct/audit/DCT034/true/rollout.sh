kubectl -n harbor rollout status deploy/harbor-notary-signer
