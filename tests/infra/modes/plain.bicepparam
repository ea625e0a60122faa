// What a deployment makes of itself: every default.
using '../../../infra/main.bicep'

param environmentName = 'relay'
param location = 'westeurope'
