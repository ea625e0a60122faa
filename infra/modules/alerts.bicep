// What Azure Monitor watches beside the app's own alerts (docs/alerts.md): above all, whether the app still runs.
import { tagsOfResource } from 'types.bicep'

param location string
param suffix string
param tags tagsOfResource
param insightsName string
param storageAccountName string
param eventHubsNamespaceName string
param email string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' existing = {
  name: '${storageAccountName}/default'
}

resource hubsNamespace 'Microsoft.EventHub/namespaces@2024-01-01' existing = if (!empty(eventHubsNamespaceName)) {
  name: eventHubsNamespaceName
}

// A rule fires when its query has more rows in the window than the threshold, or fewer.
// Alerts are told by a gauge, with every run anew: a count is told once, and lost with its batch.
var rules = [
  {
    name: 'relay-alert'
    description: 'An alert of the app is open for a destination: docs/alerts.md says what each means and what to do'
    severity: 2
    window: 'PT10M'
    operator: 'GreaterThan'
    threshold: 0
    query: '''
customMetrics
| where name == "profile_relay.alerts.open" and valueMax > 0
| project timestamp, destination = tostring(customDimensions.destination), rule = tostring(customDimensions.rule)
'''
  }
  {
    name: 'not-running'
    description: 'watch_destinations, which runs twice a minute, has not succeeded for a quarter of an hour: exports that failed wait, and nobody looks for alerts'
    severity: 0
    window: 'PT15M'
    operator: 'LessThan'
    threshold: 1
    query: '''
requests
| where name == "watch_destinations" and tobool(success)
'''
  }
  {
    name: 'evaluate-alerts-overdue'
    description: 'evaluate_alerts, which runs each minute, has not succeeded for a quarter of an hour: alerts open only where messages come'
    severity: 1
    window: 'PT15M'
    operator: 'LessThan'
    threshold: 1
    query: '''
requests
| where name == "evaluate_alerts" and tobool(success)
'''
  }
  {
    name: 'run-backfill-overdue'
    description: 'run_backfill, which runs each minute, has not succeeded for a quarter of an hour: backfills, uploads and sweeps do not begin'
    severity: 1
    window: 'PT15M'
    operator: 'LessThan'
    threshold: 1
    query: '''
requests
| where name == "run_backfill" and tobool(success)
'''
  }
  {
    name: 'drain-poison-queues-overdue'
    description: 'drain_poison_queues, which runs twice a minute, has not succeeded for a quarter of an hour: what failed at every delivery waits, and expires after seven days'
    severity: 1
    window: 'PT15M'
    operator: 'LessThan'
    threshold: 1
    query: '''
requests
| where name == "drain_poison_queues" and tobool(success)
'''
  }
  {
    name: 'sweep-profiles-overdue'
    description: 'sweep_profiles, which runs once a day, has not succeeded for 26 hours: what has expired stays'
    severity: 2
    window: 'P2D'
    operator: 'GreaterThan'
    threshold: 0
    query: '''
requests
| summarize begun = min(timestamp), swept = maxif(timestamp, name == "sweep_profiles" and tobool(success))
| where begun < ago(26h) and (isnull(swept) or swept < ago(26h))
'''
  }
  {
    name: 'wrong-settings'
    description: 'A setting keeps the app from working: the exception or the line names it, and so does GET /api/health'
    severity: 0
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    query: '''
union
  (exceptions | where outerMessage contains "app setting " or innermostMessage contains "app setting "),
  (traces | where message contains "app setting " and message contains " stays, and comes again in ")
'''
  }
  {
    name: 'functions-fail'
    description: 'Functions fail again and again: storage or a setting, as a rule. Their messages come back until they succeed'
    severity: 1
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 20
    query: '''
exceptions
| where operation_Name in ("export_profile_changes", "retry_export", "backfill_slice", "deliver_alert", "watch_destinations", "run_backfill", "evaluate_alerts", "sweep_profiles", "give_back_messages", "drain_poison_queues")
'''
  }
  {
    name: 'poison-queue'
    description: 'Messages failed at every delivery: they are put back on their queues, and given up where that does not help'
    severity: 1
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    query: '''
traces
| where operation_Name == "drain_poison_queues" and message startswith "messages failed at every delivery"
'''
  }
  {
    name: 'dead-exports'
    description: 'Exports are dead: GET /api/undelivered?state=dead has the reason of each'
    severity: 2
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    query: '''
customMetrics
| where name == "profile_relay.alerts.open" and valueMax > 0 and customDimensions.rule == "dead-rows"
| project timestamp, destination = tostring(customDimensions.destination)
'''
  }
  {
    name: 'slow-exports'
    description: '95 of 100 exports take up to more than ten minutes from the queue to the hub: more instances, or a smaller BACKFILL_PER_SECOND'
    severity: 2
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    query: '''
customMetrics
| where name == "profile_relay.latency" and customDimensions.quantile == "p95" and valueMax > 600
| project timestamp, destination = tostring(customDimensions.destination), valueMax
'''
  }
]
var actionGroupIds = empty(email)
  ? []
  : [
      people.id
    ]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'ag-relay-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'relay'
    enabled: true
    emailReceivers: [
      {
        name: 'operations'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'relay-${rule.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Profile Relay: ${rule.name}'
      description: rule.description
      enabled: true
      severity: rule.severity
      scopes: [
        insights.id
      ]
      evaluationFrequency: rule.window == 'P2D' ? 'PT1H' : 'PT5M'
      windowSize: rule.window
      // Tables are there only once something has been written to them.
      skipQueryValidation: true
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: actionGroupIds
      }
    }
  }
]

// The account counts the messages of all its queues together, once an hour: this is for what grows unseen.
resource backlog 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'relay-backlog-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'More than 100,000 messages wait on the queues: the app does not keep up, or does not run'
    enabled: true
    severity: 1
    scopes: [
      queueService.id
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'messages'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Storage/storageAccounts/queueServices'
          metricName: 'QueueMessageCount'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: 100000
        }
      ]
    }
    actions: [
      for id in actionGroupIds: {
        actionGroupId: id
      }
    ]
  }
}

resource throttling 'Microsoft.Insights/metricAlerts@2018-03-01' = if (!empty(eventHubsNamespaceName)) {
  name: 'relay-throttling-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The namespace throttles: it is at its maximum of throughput units, or a consumer reads too much'
    enabled: true
    severity: 2
    scopes: [
      hubsNamespace.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.EventHub/namespaces'
          metricName: 'ThrottledRequests'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 100
        }
      ]
    }
    actions: [
      for id in actionGroupIds: {
        actionGroupId: id
      }
    ]
  }
}

// Each instance holds a few connections to each hub, consumers and others have theirs; the one too many is refused.
resource connections 'Microsoft.Insights/metricAlerts@2018-03-01' = if (!empty(eventHubsNamespaceName)) {
  name: 'relay-connections-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The namespace has over 4,000 connections, of the 5,000 that it takes: it is about to refuse some'
    enabled: true
    severity: 2
    scopes: [
      hubsNamespace.id
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'connections'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.EventHub/namespaces'
          metricName: 'ActiveConnections'
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 4000
        }
      ]
    }
    actions: [
      for id in actionGroupIds: {
        actionGroupId: id
      }
    ]
  }
}
