// One page with the metrics of docs/metrics.md.
import { tagsOfResource } from 'types.bicep'

param location string
param suffix string
param tags tagsOfResource
param insightsName string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insights.id, 'profile-relay')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Profile Relay ${suffix}'
    category: 'workbook'
    sourceId: insights.id
    serializedData: loadTextContent('workbook.json')
  }
}
