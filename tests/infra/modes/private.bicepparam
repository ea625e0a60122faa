// Nothing but the app itself can be reached from outside.
using '../../../infra/main.bicep'

param environmentName = 'relay'
param location = 'westeurope'
param privateEndpoints = ['storage', 'vault', 'hubs']
