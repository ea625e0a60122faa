// A namespace for destinations to begin with. The app may send to its hubs and do nothing else with them.
param location string
param suffix string
param tags object
param hubNames array
param principalId string

var eventHubsDataSender = '2b629674-e913-4c01-ae53-ef4638d8f975'

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: 'evhns-relay-${suffix}'
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
  }
}

resource hubs 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = [for name in hubNames: {
  parent: namespace
  name: name
  properties: {
    partitionCount: 4
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: 168
    }
  }
}]

resource senders 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, index) in hubNames: {
  name: guid(namespace.id, name, principalId, eventHubsDataSender)
  scope: hubs[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventHubsDataSender)
  }
}]

output namespaceName string = namespace.name
output host string = '${namespace.name}.servicebus.windows.net'
