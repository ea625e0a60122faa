// Private endpoints in the app's network, and the private zones by which their names are found there.
import { privateEndpoint, tagsOfResource } from 'types.bicep'

param location string
param suffix string
param tags tagsOfResource
param networkName string
param endpoints privateEndpoint[]

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: networkName

  resource subnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for endpoint in endpoints: {
    name: endpoint.zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (endpoint, index) in endpoints: {
    parent: zones[index]
    name: 'relay-${suffix}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for endpoint in endpoints: {
    name: 'pe-${endpoint.part}-relay-${suffix}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: network::subnet.id
      }
      privateLinkServiceConnections: [
        {
          name: endpoint.part
          properties: {
            privateLinkServiceId: endpoint.resourceId
            groupIds: [
              endpoint.part
            ]
          }
        }
      ]
    }
  }
]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (endpoint, index) in endpoints: {
    parent: privateEndpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: endpoint.part
          properties: {
            privateDnsZoneId: zones[index].id
          }
        }
      ]
    }
  }
]
