// Where destinations' keys and webhooks' secrets live. The app writes them, so it needs Secrets Officer.
import { tagsOfResource } from 'types.bicep'

param location string
param tags tagsOfResource
param name string

@description('Only what is listed comes in')
param closed bool

@description('Reached by a private endpoint alone')
param private bool

param subnetId string
param workspaceId string
param relayIdentityName string

var keyVaultSecretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

resource relay 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: relayIdentityName
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closed ? 'Deny' : 'Allow'
      virtualNetworkRules: empty(subnetId)
        ? []
        : [
            {
              id: subnetId
            }
          ]
    }
  }
}

resource officer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, relay.id, keyVaultSecretsOfficer)
  scope: vault
  properties: {
    principalId: relay.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsOfficer)
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'who-read-what'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

output uri string = vault.properties.vaultUri
