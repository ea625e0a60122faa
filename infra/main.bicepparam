{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "environmentName": { "value": "${AZURE_ENV_NAME}" },
    "location": { "value": "${AZURE_LOCATION}" },
    "staticEgress": { "value": "${STATIC_EGRESS=false}" },
    "storageSku": { "value": "${STORAGE_SKU=Standard_ZRS}" },
    "eventHubs": { "value": "${EVENT_HUBS=true}" },
    "authClientId": { "value": "${AUTH_CLIENT_ID}" },
    "alertEmail": { "value": "${ALERT_EMAIL}" },
    "zoneRedundant": { "value": "${ZONE_REDUNDANT=false}" },
    "maximumInstanceCount": { "value": "${MAXIMUM_INSTANCE_COUNT=100}" },
    "allowedAddresses": { "value": [] },
    "eventHubNames": { "value": ["profiles"] },
    "upstreamPrincipalIds": { "value": [] },
    "alwaysReady": { "value": [] },
    "appSettings": { "value": {} }
  }
}
