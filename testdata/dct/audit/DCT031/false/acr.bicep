// trustPolicy: { status: 'enabled' }
resource acr 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  properties: {
    policies: {
      trustPolicy: {
        type: 'Notary'
        status: 'disabled'
      }
      retentionPolicy: {
        status: 'enabled'
      }
    }
  }
}
