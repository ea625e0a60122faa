"""What the platform takes, as it publishes it, and how much of it a plan uses.

Storage: https://learn.microsoft.com/azure/storage/common/scalability-targets-standard-account, …/queues/ and …/tables/;
Event Hubs: https://learn.microsoft.com/azure/event-hubs/compare-tiers and …/event-hubs-quotas (Standard);
Flex Consumption: https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan.
"""

ACCOUNT_REQUESTS = 20_000
"""Requests a second to one storage account; twice as many in some regions."""
QUEUE_MESSAGES = 2_000
"""Messages a second through one queue. Published for messages of 1 KiB."""
PARTITION_ENTITIES = 2_000
"""Entities a second in one partition of a table."""

UNIT_EVENTS = 1_000
UNIT_BYTES = 1_000_000
"""What one throughput unit takes a second: whichever is reached first."""
NAMESPACE_UNITS = 40
NAMESPACE_CONNECTIONS = 5_000
"""AMQP connections at a time. Basic takes 100, Premium 10,000 for each of its processing units."""
HUB_PARTITIONS = 32
"""Of one hub; a partition takes no more than one throughput unit."""

INSTANCE_GIGABYTES = 2
INSTANCE_CORES = 1
APP_INSTANCES = 1_000
REGION_INSTANCES = 250
"""Of 2 GB each in one region and subscription, until the quota is raised: 512,000 MB."""
INSTANCES_AT_A_TIME = 4
SECONDS_BETWEEN_SCALING = 30
"""Target-based scaling adds at most so many instances, at most so often."""

USED = 0.6
"""The share of everything that a plan uses: bursts, retries and redrives need the rest."""
CORE_FOR_CHANGES = 0.7
"""The share of an instance's core that is there for changes. Assumed: the Functions host was not measured."""
