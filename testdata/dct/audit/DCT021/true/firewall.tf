locals {
  allowed = ["registry-1.docker.io", "auth.docker.io", "notary.docker.io"]
}
