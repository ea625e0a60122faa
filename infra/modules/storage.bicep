// Queues, tables and blobs in one account that knows no keys. The app makes its tables when it starts.
param location string
param suffix string
param tags object
param sku string
param subnetId string
param allowedAddresses array
param principalId string
param upstreamPrincipalIds array

var changesQueueName = 'profile-changes'
var deploymentContainerName = 'app-package'
var queueNames = [
  changesQueueName
  'export-retries'
  'backfill-slices'
  'alert-deliveries'
]
// Rights on the whole account, for the app makes what is missing. The host asks for Blob Data Owner for its locks.
var appRoles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}
var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'strelay${suffix}'
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
    publicNetworkAccess: 'Enabled'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: empty(subnetId) ? 'Allow' : 'Deny'
      ipRules: [for address in allowedAddresses: {
        value: address
        action: 'Allow'
      }]
      virtualNetworkRules: empty(subnetId) ? [] : [
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

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for name in [deploymentContainerName, 'audience-uploads']: {
  parent: blobs
  name: name
  properties: {
    publicAccess: 'None'
  }
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [for name in queueNames: {
  parent: queueService
  name: name
}]

resource poisonQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [for name in queueNames: {
  parent: queueService
  name: '${name}-poison'
}]

resource appAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in items(appRoles): {
  name: guid(account.id, principalId, role.value)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
  }
}]

// Upstream may put messages on this one queue: neither read them nor see any other.
resource upstreamAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for upstream in upstreamPrincipalIds: {
  name: guid(account.id, upstream, storageQueueDataMessageSender)
  scope: queues[0]
  properties: {
    principalId: upstream
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
  }
}]

output accountName string = account.name
output deploymentContainer string = deploymentContainerName
output changesQueue string = changesQueueName
output changesQueueUrl string = '${account.properties.primaryEndpoints.queue}${changesQueueName}'
