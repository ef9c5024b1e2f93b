module "registry" {
  source               = "./acr"
  trust_policy_enabled = var.content_trust
}
