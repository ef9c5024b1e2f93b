resource "azurerm_container_registry" "acme" {
  dynamic "retention_policy" {
    for_each = [7]
    content {
      enabled = true
    }
  }
  dynamic "trust_policy" {
    for_each = [1]
    content {
      enabled = true
    }
  }
}
