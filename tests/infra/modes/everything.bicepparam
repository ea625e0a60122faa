// Everything that can be had at once, but for private endpoints.
using '../../../infra/main.bicep'

param environmentName = 'relay'
param location = 'westeurope'
param staticEgress = true
param allowedAddresses = ['203.0.113.0/28']
param hubs = [
  { name: 'crm', partitionCount: 32, consumerGroups: ['loader', 'archive'] }
  { name: 'analytics' }
]
param authClientId = '11111111-1111-1111-1111-111111111111'
param upstreamPrincipalIds = [
  '22222222-2222-2222-2222-222222222222'
  '33333333-3333-3333-3333-333333333333'
]
param furtherQueues = ['profile-changes-2']
param alertEmail = 'operations@example.com'
param siteUpdateStrategy = 'RollingUpdate'
param zoneRedundant = true
param alwaysReady = [
  { name: 'function:export_profile_changes', instanceCount: 2 }
  { name: 'http', instanceCount: 2 }
]
param appSettings = {
  SEND_TIMEOUT: '10'
}
