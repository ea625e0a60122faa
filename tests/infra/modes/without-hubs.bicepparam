// Destinations are elsewhere, the region has no zones.
using '../../../infra/main.bicep'

param environmentName = 'relay'
param location = 'westeurope'
param eventHubs = false
param storageSku = 'Standard_LRS'
