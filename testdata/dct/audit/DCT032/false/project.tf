resource "harbor_project" "acme" {
  # enable_content_trust = true
  enable_content_trust        = false
  enable_content_trust_cosign = true
}
