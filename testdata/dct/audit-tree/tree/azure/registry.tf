resource "azurerm_container_registry" "acme" {
  name                = "acme"
  resource_group_name = azurerm_resource_group.acme.name
  location            = azurerm_resource_group.acme.location
  sku                 = "Premium"

  trust_policy {
    enabled = true
  }
  retention_policy {
    days    = 30
    enabled = true
  }
}

resource "azurerm_role_assignment" "signer" {
  scope                = azurerm_container_registry.acme.id
  role_definition_name = "AcrImageSigner"
  principal_id         = var.signer
}
