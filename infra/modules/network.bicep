// The app's network. With static egress, everything that the app sends leaves by the addresses of one prefix.
import { tagsOfResource } from 'types.bicep'

param location string
param suffix string
param tags tagsOfResource
param name string
param staticEgress bool
param withEndpoints bool

resource prefix 'Microsoft.Network/publicIPPrefixes@2025-05-01' = if (staticEgress) {
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

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = if (staticEgress) {
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
resource security 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-relay-${suffix}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.0.0.0/16'
      ]
    }
    subnets: concat(
      [
        {
          name: 'app'
          properties: {
            addressPrefix: '10.0.0.0/24'
            natGateway: staticEgress
              ? {
                  id: gateway.id
                }
              : null
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
      ],
      withEndpoints
        ? [
            {
              name: 'endpoints'
              properties: {
                addressPrefix: '10.0.1.0/24'
                networkSecurityGroup: {
                  id: security.id
                }
              }
            }
          ]
        : []
    )
  }
}

output egressAddresses string = staticEgress ? prefix!.properties.ipPrefix : ''
