// Profile Relay in one resource group. docs/deploy.md says how to use it.
targetScope = 'resourceGroup'

@description('Names the deployment: part of the tags and of every resource\'s name')
@minLength(1)
@maxLength(64)
param environmentName string

@description('The region; it must offer the Flex Consumption plan')
param location string = resourceGroup().location

@description('Send from static public addresses, through a virtual network and a NAT gateway, and close storage and the vault to everybody else')
param staticEgress bool = false

@description('Public IPv4 addresses or ranges that may reach storage beside the app (upstream, uploads), when it is closed')
param allowedAddresses array = []

@description('How storage is replicated; regions without availability zones need Standard_LRS or Standard_GRS')
@allowed(['Standard_LRS', 'Standard_GRS', 'Standard_ZRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('Make an Event Hubs namespace, too; without it destinations are elsewhere')
param eventHubs bool = true

@description('The hubs to make in that namespace')
param eventHubNames array = ['profiles']

@description('Client id of the app registration that people and programs sign in by; without it function keys are asked for')
param authClientId string = ''

@description('Object ids of the managed identities or service principals that may put profile changes on the queue')
param upstreamPrincipalIds array = []

@description('Who is told of alerts of Azure Monitor; without it they are only shown')
param alertEmail string = ''

@description('Spread instances over availability zones; not every region has them')
param zoneRedundant bool = false

@description('How many instances each function may have at most beside those always ready; HTTP counts as one function')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Memory of an instance in MB')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Instances that are kept running, such as { name: \'function:export_profile_changes\', instanceCount: 1 }')
param alwaysReady array = []

@description('Further app settings of docs/settings.md, such as { SEND_TIMEOUT: \'10\' }')
param appSettings object = {}

@description('How long logs and metrics are kept, in days')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

var suffix = uniqueString(resourceGroup().id, environmentName)
var tags = {
  'azd-env-name': environmentName
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  params: {
    location: location
    suffix: suffix
    tags: tags
  }
}

module network 'modules/network.bicep' = if (staticEgress) {
  name: 'network'
  params: {
    location: location
    suffix: suffix
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    suffix: suffix
    tags: tags
    retentionDays: logRetentionDays
    principalId: identities.outputs.relayPrincipalId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    location: location
    suffix: suffix
    tags: tags
    sku: storageSku
    subnetId: staticEgress ? network!.outputs.subnetId : ''
    allowedAddresses: allowedAddresses
    principalId: identities.outputs.relayPrincipalId
    upstreamPrincipalIds: upstreamPrincipalIds
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    location: location
    suffix: suffix
    tags: tags
    subnetId: staticEgress ? network!.outputs.subnetId : ''
    workspaceId: monitoring.outputs.workspaceId
    principalId: identities.outputs.relayPrincipalId
  }
}

module hubs 'modules/event-hubs.bicep' = if (eventHubs) {
  name: 'event-hubs'
  params: {
    location: location
    suffix: suffix
    tags: tags
    hubNames: eventHubNames
    principalId: identities.outputs.relayPrincipalId
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    location: location
    suffix: suffix
    tags: tags
    relayIdentityName: identities.outputs.relayName
    signInIdentityName: identities.outputs.signInName
    storageAccountName: storage.outputs.accountName
    deploymentContainer: storage.outputs.deploymentContainer
    changesQueue: storage.outputs.changesQueue
    vaultUri: vault.outputs.uri
    insightsName: monitoring.outputs.insightsName
    eventHubsNamespace: eventHubs ? hubs!.outputs.host : ''
    subnetId: staticEgress ? network!.outputs.subnetId : ''
    egressAddresses: staticEgress ? network!.outputs.egressAddresses : ''
    authClientId: authClientId
    zoneRedundant: zoneRedundant
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReady: alwaysReady
    extraSettings: appSettings
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    location: location
    suffix: suffix
    tags: tags
    insightsName: monitoring.outputs.insightsName
    storageAccountName: storage.outputs.accountName
    eventHubsNamespaceName: eventHubs ? hubs!.outputs.namespaceName : ''
    email: alertEmail
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    suffix: suffix
    tags: tags
    insightsName: monitoring.outputs.insightsName
  }
}

output RELAY_NAME string = app.outputs.name
output RELAY_URL string = app.outputs.url
output CHANGES_QUEUE_URL string = storage.outputs.changesQueueUrl
output EVENT_HUBS_NAMESPACE string = eventHubs ? hubs!.outputs.host : ''
output KEY_VAULT_URI string = vault.outputs.uri
output EGRESS_ADDRESSES string = staticEgress ? network!.outputs.egressAddresses : ''
output RELAY_IDENTITY_CLIENT_ID string = identities.outputs.relayClientId
output SIGN_IN_IDENTITY_PRINCIPAL_ID string = identities.outputs.signInPrincipalId
