// The function app: Flex Consumption, Python, every connection by identity.
import { alwaysReadyInstances, settings, tagsOfResource, updateStrategy } from 'types.bicep'

param location string
param tags tagsOfResource
param name string
param planName string

@description('What azd knows the app by; empty for one that it does not publish to')
param azdService string

param relayIdentityName string
param signInIdentityName string
param storageAccountName string
param deploymentContainer string
param changesQueue string
param vaultUri string
param insightsName string
param eventHubsNamespace string
param subnetId string
param staticEgress bool

@description('Known only while deploying: whether there are any, staticEgress says')
param egressAddresses string

param authClientId string
param siteUpdateStrategy updateStrategy
param zoneRedundant bool
param maximumInstanceCount int
param instanceMemoryMB int
param alwaysReady alwaysReadyInstances[]
param extraSettings settings

resource relayIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: relayIdentityName
}

resource signInIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: signInIdentityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var clientId = relayIdentity.properties.clientId
var always = {
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  RELAY_STORAGE__queueServiceUri: storage.properties.primaryEndpoints.queue
  RELAY_STORAGE__tableServiceUri: storage.properties.primaryEndpoints.table
  RELAY_STORAGE__blobServiceUri: storage.properties.primaryEndpoints.blob
  RELAY_STORAGE__credential: 'managedidentity'
  RELAY_STORAGE__clientId: clientId
  PROFILE_CHANGES_QUEUE: changesQueue
  WATCH_SCHEDULE: '*/30 * * * * *'
  BACKFILL_SCHEDULE: '0 * * * * *'
  SWEEP_SCHEDULE: '0 0 3 * * *'
  ALERT_SCHEDULE: '0 * * * * *'
  KEY_VAULT_URI: vaultUri
  KEY_VAULT_URI__clientId: clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
}
var withHubs = {
  EVENTHUBS__fullyQualifiedNamespace: eventHubsNamespace
  EVENTHUBS__clientId: clientId
}
var withStaticEgress = {
  EGRESS_ADDRESSES: egressAddresses
}
var withSignIn = {
  OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: signInIdentity.properties.clientId
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, empty(azdService) ? {} : { 'azd-service-name': azdService })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${relayIdentity.id}': {}
      '${signInIdentity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    keyVaultReferenceIdentity: relayIdentity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: '3.13'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: relayIdentity.id
          }
        }
      }
      // The service takes it from version 2023-12-01 on; the compiler's types do not have it yet.
      #disable-next-line BCP037
      siteUpdateStrategy: {
        type: siteUpdateStrategy
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReady
      }
    }
  }
}

// A resource of its own: a list in siteConfig would be a loop over values that are known only while deploying.
resource appSettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    always,
    empty(eventHubsNamespace) ? {} : withHubs,
    staticEgress ? withStaticEgress : {},
    empty(authClientId) ? {} : withSignIn,
    extraSettings
  )
}

// Publishing goes by Entra ID alone.
resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource signIn 'Microsoft.Web/sites/config@2025-03-01' = if (!empty(authClientId)) {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'RedirectToLoginPage'
      redirectToProvider: 'azureActiveDirectory'
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: authClientId
          // The name of a setting with an identity's client id, not of one with a secret.
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            authClientId
            'api://${authClientId}'
          ]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
  dependsOn: [
    appSettings
  ]
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
