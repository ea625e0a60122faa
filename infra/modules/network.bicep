// Static egress: everything that the app sends leaves by the addresses of one prefix.
param location string
param suffix string
param tags object

resource prefix 'Microsoft.Network/publicIPPrefixes@2024-07-01' = {
  name: 'ippre-relay-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Regional'
  }
  properties: {
    // Two addresses. Each gives 64,512 ports, and an instance needs some for each hub and service it talks to.
    prefixLength: 31
    publicIPAddressVersion: 'IPv4'
  }
}

resource gateway 'Microsoft.Network/natGateways@2024-07-01' = {
  name: 'ng-relay-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpPrefixes: [
      {
        id: prefix.id
      }
    ]
  }
}

// Nobody connects to the app through the subnet: the default rules let out, and in from the network alone.
resource security 'Microsoft.Network/networkSecurityGroups@2024-07-01' = {
  name: 'nsg-relay-${suffix}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  name: 'vnet-relay-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.0.0.0/16'
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.0.0.0/24'
          natGateway: {
            id: gateway.id
          }
          networkSecurityGroup: {
            id: security.id
          }
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
          // Never Microsoft.EventHub: hubs would see a private address then, and one whose firewall lists the prefix
          // would refuse the app.
          serviceEndpoints: [
            {
              service: 'Microsoft.Storage'
            }
            {
              service: 'Microsoft.KeyVault'
            }
          ]
        }
      }
    ]
  }
}

output subnetId string = '${network.id}/subnets/app'
output egressAddresses string = prefix.properties.ipPrefix
