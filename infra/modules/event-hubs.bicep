// A namespace for destinations to begin with. The app may send to its hubs and do nothing else with them.
import { hub, tagsOfResource } from 'types.bicep'

param location string
param tags tagsOfResource
param name string

@description('Reached by a private endpoint alone')
param private bool

param hubs hub[]
param relayIdentityName string

var eventHubsDataSender = '2b629674-e913-4c01-ae53-ef4638d8f975'

var consumerGroups = flatten(map(
  range(0, length(hubs)),
  index => map(hubs[index].?consumerGroups ?? [], group => { hub: index, name: group })
))

resource relay 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: relayIdentityName
}

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: 1
  }
  properties: {
    disableLocalAuth: true
    isAutoInflateEnabled: true
    maximumThroughputUnits: 10
    minimumTlsVersion: '1.2'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

resource eventHubs 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = [
  for hub in hubs: {
    parent: namespace
    name: hub.name
    properties: {
      partitionCount: hub.?partitionCount ?? 4
      retentionDescription: {
        cleanupPolicy: 'Delete'
        retentionTimeInHours: 168
      }
    }
  }
]

resource groups 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = [
  for group in consumerGroups: {
    parent: eventHubs[group.hub]
    name: group.name
  }
]

resource senders 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (hub, index) in hubs: {
    name: guid(namespace.id, hub.name, relay.id, eventHubsDataSender)
    scope: eventHubs[index]
    properties: {
      principalId: relay.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventHubsDataSender)
    }
  }
]
