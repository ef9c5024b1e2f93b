resource "azurerm_role_assignment" "signer" {
  scope                = azurerm_container_registry.acme.id
  role_definition_name = "AcrImageSigner"
}
