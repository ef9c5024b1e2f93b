# docker trust sign registry.example.com/acme/app:1.0
notation sign registry.example.com/acme/app@sha256:1234 # was: docker trust sign
echo "docker trust sign is gone; notation sign is what we use"
printf 'usage: docker trust sign IMAGE\n' >&2
die "run docker trust sign first"
docker trust-store sign
docker build -t trust .
