resource "azurerm_container_registry" "acme" {
  name                 = "acme"
  # trust_policy_enabled = true
  trust_policy_enabled = false
  retention_policy {
    enabled = true
  }
  trust_policy {
    enabled = false
  }
  zone_redundancy_enabled = true
}
resource "acme_role" "ci" {
  trust_policy {
    enabled = true
  }
}
