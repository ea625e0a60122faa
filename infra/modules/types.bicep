// What lists and objects that people give are made of, so that a slip shows when the files are compiled.

@export()
@description('Tags of a resource')
type tagsOfResource = {
  *: string
}

@export()
@description('An event hub of the namespace')
@sealed()
type hub = {
  name: string

  @description('4 unless given; a partition takes one throughput unit at most. It cannot be changed later')
  @minValue(1)
  @maxValue(32)
  partitionCount: int?

  @description('One for each consumer, beside $Default')
  consumerGroups: string[]?
}

@export()
@description('Instances of a function, or of all HTTP functions, that are kept running')
@sealed()
type alwaysReadyInstances = {
  @description('function:NAME, or http')
  name: string

  @minValue(1)
  instanceCount: int
}

@export()
@description('App settings of docs/settings.md')
type settings = {
  *: string
}

@export()
type updateStrategy = 'Recreate' | 'RollingUpdate'

@export()
@description('What can be reached by a private endpoint')
type privateService = 'storage' | 'vault' | 'hubs'

@export()
@description('A private endpoint: of which part of which resource, and the private zone of its name')
@sealed()
type privateEndpoint = {
  part: 'blob' | 'queue' | 'table' | 'vault' | 'namespace'
  resourceId: string
  zone: string
}
