// Two identities: one for all that the app does, one for signing people in and nothing else.
import { tagsOfResource } from 'types.bicep'

param location string
param tags tagsOfResource
param relayName string
param signInName string

resource relay 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: relayName
  location: location
  tags: tags
}

// The app registration trusts this one in place of a client secret. It has no role anywhere, and must not be given to
// anything else: whoever has it is the app registration.
resource signIn 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: signInName
  location: location
  tags: tags
}

output relayClientId string = relay.properties.clientId
output signInPrincipalId string = signIn.properties.principalId
