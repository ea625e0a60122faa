// Two identities: one for all that the app does, one for signing people in and nothing else.
param location string
param suffix string
param tags object

resource relay 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-relay-${suffix}'
  location: location
  tags: tags
}

// The app registration trusts this one in place of a client secret. It has no role anywhere, and must not be given to
// anything else: whoever has it is the app registration.
resource signIn 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-sign-in-${suffix}'
  location: location
  tags: tags
}

output relayName string = relay.name
output relayClientId string = relay.properties.clientId
output relayPrincipalId string = relay.properties.principalId
output signInName string = signIn.name
output signInPrincipalId string = signIn.properties.principalId
