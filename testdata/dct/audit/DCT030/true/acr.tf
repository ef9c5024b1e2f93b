resource "azurerm_container_registry" "acme" {
  name                 = "acme"
  sku                  = "Premium"
  trust_policy_enabled = true
}

resource "azurerm_container_registry" "old" {
  name = "old"
  sku  = "Premium"
  retention_policy {
    enabled = true
  }
  trust_policy {
    enabled = true
  }
}

resource "azurerm_container_registry" "older" {
  trust_policy = [{ enabled = true }]
}
