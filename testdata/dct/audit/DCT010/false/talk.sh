usage() { cat <<USAGE
docker trust sign IMAGE
USAGE
}
git commit -m "Remove docker trust sign"
! grep -rn "docker trust sign" . | wc -l
read -p "Run docker trust sign? " answer
: "docker trust sign"
alias hint='echo docker trust sign'
