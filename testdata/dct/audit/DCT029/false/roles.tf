resource "azurerm_role_assignment" "push" {
  description          = "was AcrImageSigner"
  role_definition_name = "AcrPush"
}
