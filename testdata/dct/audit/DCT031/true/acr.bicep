param trustPolicyStatus string = 'enabled'
resource acr 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: 'acme'
  properties: {
    policies: {
      quarantinePolicy: {
        status: 'enabled'
      }
      trustPolicy: {
        type: 'Notary'
        status: 'enabled'
      }
    }
  }
}

module registry 'br/public:avm/res/container-registry/registry:0.9.0' = {
  params: {
    name: 'acme'
    trustPolicyStatus: 'enabled'
  }
}
