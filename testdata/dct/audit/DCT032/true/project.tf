resource "harbor_project" "acme" {
  name                 = "acme"
  enable_content_trust = true
}
