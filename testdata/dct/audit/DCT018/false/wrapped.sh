docker run --rm acme/notary list
kubectl get pods -l app=notary
notary list of deeds
