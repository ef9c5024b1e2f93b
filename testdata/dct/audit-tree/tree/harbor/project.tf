resource "harbor_project" "acme" {
  name                        = "acme"
  vulnerability_scanning      = true
  enable_content_trust        = true
  enable_content_trust_cosign = false
}
