// Queues, tables and blobs in one account that knows no keys. The app makes its tables when it starts.
import { tagsOfResource } from 'types.bicep'

param location string
param tags tagsOfResource
param name string
param sku string

@description('Only what is listed comes in')
param closed bool

@description('Reached by private endpoints')
param private bool

param subnetId string
param allowedAddresses string[]

@description('Where upstream puts profile changes')
param changesQueues string[]

param relayIdentityName string
param upstreamPrincipalIds string[]

// Each app has a package of its own.
var packages = [for (queue, index) in changesQueues: index == 0 ? 'app-package' : 'app-package-${index + 1}']
var queueNames = concat(changesQueues, ['export-retries', 'backfill-slices', 'alert-deliveries'])
// Rights on the whole account, for the app makes what is missing. The host asks for Blob Data Owner for its locks.
var appRoles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}
var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'

var upstreamQueues = flatten(map(
  upstreamPrincipalIds,
  principal => map(range(0, length(changesQueues)), index => { principal: principal, queue: index })
))

resource relay 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: relayIdentityName
}

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closed ? 'Deny' : 'Allow'
      ipRules: [
        for address in allowedAddresses: {
          value: address
          action: 'Allow'
        }
      ]
      virtualNetworkRules: empty(subnetId)
        ? []
        : [
            {
              id: subnetId
              action: 'Allow'
            }
          ]
    }
  }
}

// Nothing deleted is kept: an uploaded file lists people, and whoever is forgotten is forgotten.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: false
    }
    containerDeleteRetentionPolicy: {
      enabled: false
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [
  for container in concat(packages, ['audience-uploads']): {
    parent: blobs
    name: container
    properties: {
      publicAccess: 'None'
    }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for queue in queueNames: {
    parent: queueService
    name: queue
  }
]

resource poisonQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for queue in queueNames: {
    parent: queueService
    name: '${queue}-poison'
  }
]

resource notesOfWhatIsInHand 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = {
  parent: queueService
  name: 'messages-in-hand'
}

resource appAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in items(appRoles): {
    name: guid(account.id, relay.id, role.value)
    scope: account
    properties: {
      principalId: relay.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
    }
  }
]

// Upstream may put messages on these queues: neither read them nor see any other.
resource upstreamAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for upstream in upstreamQueues: {
    // The first as release 0.1 named it: Azure refuses a second assignment of the same.
    name: upstream.queue == 0
      ? guid(account.id, upstream.principal, storageQueueDataMessageSender)
      : guid(account.id, queueNames[upstream.queue], upstream.principal, storageQueueDataMessageSender)
    scope: queues[upstream.queue]
    properties: {
      principalId: upstream.principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
    }
  }
]

output deploymentContainers string[] = packages
output changesQueueUrls string[] = [for queue in changesQueues: '${account.properties.primaryEndpoints.queue}${queue}']
