export NOTARY_ROOT_PASSPHRASE="$(vault read -field=value secret/root)"
NOTARY_TARGETS_PASSPHRASE=$T NOTARY_SNAPSHOT_PASSPHRASE=$S ./publish.sh
