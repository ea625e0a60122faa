// Profile Relay in one resource group. docs/deploy.md says how to use it.
targetScope = 'resourceGroup'

import { alwaysReadyInstances, hub, privateService, settings, updateStrategy } from 'modules/types.bicep'

@description('Names the deployment: part of the tags and of every resource\'s name')
@minLength(1)
@maxLength(64)
param environmentName string

@description('The region; it must offer the Flex Consumption plan')
param location string = resourceGroup().location

@description('Send from static public addresses, through a virtual network and a NAT gateway, and close storage and the vault to everybody else')
param staticEgress bool = false

@description('What is reached by private endpoints alone, in a virtual network of the deployment')
param privateEndpoints privateService[] = []

@description('Public IPv4 addresses or ranges that may reach storage beside the app (upstream, uploads), when it is closed')
param allowedAddresses string[] = []

@description('How storage is replicated; regions without availability zones need Standard_LRS or Standard_GRS')
param storageSku 'Standard_LRS' | 'Standard_GRS' | 'Standard_ZRS' | 'Standard_GZRS' = 'Standard_ZRS'

@description('Make an Event Hubs namespace, too; without it destinations are elsewhere')
param eventHubs bool = true

@description('The hubs to make in that namespace, such as { name: \'profiles\', consumerGroups: [\'crm-loader\'] }')
param hubs hub[] = [{ name: 'profiles' }]

@description('Client id of the app registration that people and programs sign in by; without it function keys are asked for')
param authClientId string = ''

@description('Object ids of the managed identities or service principals that may put profile changes on the queue')
param upstreamPrincipalIds string[] = []

@description('Further queues of profile changes, each read by a function app of its own; all keep the same tables')
param furtherQueues string[] = []

@description('Who is told of alerts of Azure Monitor; without it they are only shown')
param alertEmail string = ''

@description('How instances change to another version or setting: all at once, or one after the other')
param siteUpdateStrategy updateStrategy = 'Recreate'

@description('Spread instances over availability zones; not every region has them')
param zoneRedundant bool = false

@description('How many instances each function may have at most beside those always ready; HTTP counts as one function')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Memory of an instance in MB')
param instanceMemoryMB 512 | 2048 | 4096 = 2048

@description('Instances that are kept running, such as { name: \'function:export_profile_changes\', instanceCount: 1 }')
param alwaysReady alwaysReadyInstances[] = []

@description('Further app settings of docs/settings.md, such as { SEND_TIMEOUT: \'10\' }')
param appSettings settings = {}

@description('How long logs and metrics are kept, in days')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

var suffix = uniqueString(resourceGroup().id, environmentName)
var tags = {
  'azd-env-name': environmentName
}
// All names are known before anything is made. By outputs of other modules a what-if could not see into a module.
var names = {
  relayIdentity: 'id-relay-${suffix}'
  signInIdentity: 'id-sign-in-${suffix}'
  network: 'vnet-relay-${suffix}'
  insights: 'appi-relay-${suffix}'
  storage: 'strelay${suffix}'
  vault: 'kv-${suffix}'
  hubs: 'evhns-relay-${suffix}'
  app: 'func-relay-${suffix}'
}
var changesQueues = concat(['profile-changes'], furtherQueues)
var withNetwork = staticEgress || !empty(privateEndpoints)
var appSubnetId = withNetwork ? resourceId('Microsoft.Network/virtualNetworks/subnets', names.network, 'app') : ''
var storageIsPrivate = contains(privateEndpoints, 'storage')
var vaultIsPrivate = contains(privateEndpoints, 'vault')
var hubsArePrivate = eventHubs && contains(privateEndpoints, 'hubs')
var endpoints = concat(
  map(storageIsPrivate ? ['blob', 'queue', 'table'] : [], part => {
    part: part
    resourceId: resourceId('Microsoft.Storage/storageAccounts', names.storage)
    zone: 'privatelink.${part}.${environment().suffixes.storage}'
  }),
  vaultIsPrivate
    ? [
        {
          part: 'vault'
          resourceId: resourceId('Microsoft.KeyVault/vaults', names.vault)
          zone: 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
        }
      ]
    : [],
  hubsArePrivate
    ? [
        {
          part: 'namespace'
          resourceId: resourceId('Microsoft.EventHub/namespaces', names.hubs)
          zone: 'privatelink.servicebus.windows.net'
        }
      ]
    : []
)

module identities 'modules/identities.bicep' = {
  name: 'identities'
  params: {
    location: location
    tags: tags
    relayName: names.relayIdentity
    signInName: names.signInIdentity
  }
}

module network 'modules/network.bicep' = if (withNetwork) {
  name: 'network'
  params: {
    location: location
    suffix: suffix
    tags: tags
    name: names.network
    staticEgress: staticEgress
    withEndpoints: !empty(endpoints)
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    suffix: suffix
    tags: tags
    insightsName: names.insights
    retentionDays: logRetentionDays
    relayIdentityName: names.relayIdentity
  }
  dependsOn: [
    identities
  ]
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    location: location
    tags: tags
    name: names.storage
    sku: storageSku
    closed: staticEgress || storageIsPrivate
    private: storageIsPrivate
    subnetId: staticEgress && !storageIsPrivate ? appSubnetId : ''
    allowedAddresses: allowedAddresses
    changesQueues: changesQueues
    relayIdentityName: names.relayIdentity
    upstreamPrincipalIds: upstreamPrincipalIds
  }
  dependsOn: [
    identities
    network
  ]
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    location: location
    tags: tags
    name: names.vault
    closed: staticEgress || vaultIsPrivate
    private: vaultIsPrivate
    subnetId: staticEgress && !vaultIsPrivate ? appSubnetId : ''
    workspaceId: monitoring.outputs.workspaceId
    relayIdentityName: names.relayIdentity
  }
  dependsOn: [
    identities
    network
  ]
}

module namespace 'modules/event-hubs.bicep' = if (eventHubs) {
  name: 'event-hubs'
  params: {
    location: location
    tags: tags
    name: names.hubs
    private: hubsArePrivate
    hubs: hubs
    relayIdentityName: names.relayIdentity
  }
  dependsOn: [
    identities
  ]
}

module private 'modules/private-endpoints.bicep' = if (!empty(endpoints)) {
  name: 'private-endpoints'
  params: {
    location: location
    suffix: suffix
    tags: tags
    networkName: names.network
    endpoints: endpoints
  }
  dependsOn: [
    network
    storage
    vault
    namespace
  ]
}

// The first has the console and the API that people use, and is the one that azd publishes to.
module apps 'modules/app.bicep' = [
  for (queue, index) in changesQueues: {
    name: index == 0 ? 'app' : 'app-${index + 1}'
    params: {
      location: location
      tags: tags
      name: index == 0 ? names.app : '${names.app}-${index + 1}'
      planName: index == 0 ? 'plan-relay-${suffix}' : 'plan-relay-${suffix}-${index + 1}'
      azdService: index == 0 ? 'relay' : ''
      relayIdentityName: names.relayIdentity
      signInIdentityName: names.signInIdentity
      storageAccountName: names.storage
      deploymentContainer: storage.outputs.deploymentContainers[index]
      changesQueue: queue
      vaultUri: vault.outputs.uri
      insightsName: names.insights
      eventHubsNamespace: eventHubs ? '${names.hubs}.servicebus.windows.net' : ''
      subnetId: appSubnetId
      staticEgress: staticEgress
      egressAddresses: staticEgress ? network!.outputs.egressAddresses : ''
      authClientId: index == 0 ? authClientId : ''
      siteUpdateStrategy: siteUpdateStrategy
      zoneRedundant: zoneRedundant
      maximumInstanceCount: maximumInstanceCount
      instanceMemoryMB: instanceMemoryMB
      alwaysReady: alwaysReady
      extraSettings: appSettings
    }
    dependsOn: [
      identities
      private
    ]
  }
]

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    location: location
    suffix: suffix
    tags: tags
    insightsName: names.insights
    storageAccountName: names.storage
    eventHubsNamespaceName: eventHubs ? names.hubs : ''
    email: alertEmail
  }
  dependsOn: [
    monitoring
    storage
    namespace
  ]
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    suffix: suffix
    tags: tags
    insightsName: names.insights
  }
  dependsOn: [
    monitoring
  ]
}

output RELAY_NAME string = apps[0].outputs.name
output RELAY_URL string = apps[0].outputs.url
output FURTHER_RELAY_NAMES string[] = [for (queue, index) in furtherQueues: apps[index + 1].outputs.name]
output CHANGES_QUEUE_URL string = storage.outputs.changesQueueUrls[0]
output CHANGES_QUEUE_URLS string[] = storage.outputs.changesQueueUrls
output EVENT_HUBS_NAMESPACE string = eventHubs ? '${names.hubs}.servicebus.windows.net' : ''
output KEY_VAULT_URI string = vault.outputs.uri
output EGRESS_ADDRESSES string = staticEgress ? network!.outputs.egressAddresses : ''
output RELAY_IDENTITY_CLIENT_ID string = identities.outputs.relayClientId
output SIGN_IN_IDENTITY_PRINCIPAL_ID string = identities.outputs.signInPrincipalId
