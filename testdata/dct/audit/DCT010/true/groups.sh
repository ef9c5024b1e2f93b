emit() {
  cat <<EOF
docker trust sign acme/app:1
EOF
}
emit > sign.sh
{
cat <<EOF
docker trust sign acme/app:2
EOF
} > sign-too.sh
log_and_run docker trust sign acme/app:3
alias sign='docker trust sign'
