"use strict";

// What processor.py does, with the JavaScript SDK.
//
//   node processor.js HUB CONSUMER_GROUP CONTAINER

const { EventHubConsumerClient, earliestEventPosition } = require("@azure/event-hubs");
const { BlobCheckpointStore } = require("@azure/eventhubs-checkpointstore-blob");
const { BlobServiceClient } = require("@azure/storage-blob");

const EVENTS_A_CHECKPOINT = 10;
const BALANCED_EVERY_MS = 1_000;
const OWNED_FOR_MS = 15_000;

const say = (what, { partitionId }, sequence = null) =>
  process.stdout.write(`${JSON.stringify({ what, partition: partitionId, sequence })}\n`);

const [hub, consumerGroup, container] = process.argv.slice(2);
const blobs = BlobServiceClient.fromConnectionString(process.env.STORAGE).getContainerClient(container);
const client = new EventHubConsumerClient(
  consumerGroup,
  process.env.EVENTHUBS,
  hub,
  new BlobCheckpointStore(blobs),
  {
    loadBalancingOptions: {
      strategy: "greedy",
      updateIntervalInMs: BALANCED_EVERY_MS,
      partitionOwnershipExpirationIntervalInMs: OWNED_FOR_MS,
    },
  },
);

const read = new Map();

async function processEvents(events, context) {
  for (const event of events) {
    say("event", context, event.sequenceNumber);
    const count = (read.get(context.partitionId) ?? 0) + 1;
    read.set(context.partitionId, count);
    if (count % EVENTS_A_CHECKPOINT === 0) {
      await context.updateCheckpoint(event);
      say("checkpoint", context, event.sequenceNumber);
    }
  }
}

client.subscribe(
  {
    processEvents,
    processInitialize: async (context) => say("took", context),
    processClose: async (_, context) => say("gave up", context),
    processError: async (error, { partitionId }) => process.stderr.write(`partition ${partitionId}: ${error}\n`),
  },
  { startPosition: earliestEventPosition, maxBatchSize: 25 },
);
