@description('Content trust of the registry; trustPolicyStatus enabled')
param location string = resourceGroup().location

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: 'acme'
  location: location
  sku: { name: 'Premium' }
  properties: {
    policies: {
      retentionPolicy: { days: 30, status: 'enabled' }
      trustPolicy: { type: 'Notary', status: 'enabled' }
    }
  }
}
