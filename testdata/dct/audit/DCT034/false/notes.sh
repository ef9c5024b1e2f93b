echo "notary-server is gone"
