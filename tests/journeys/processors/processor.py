"""A consumer as docs/consumers.md has it, with the Python SDK's balanced processor and checkpoints in blobs.

    python processor.py HUB CONSUMER_GROUP CONTAINER

The connection strings are in EVENTHUBS and STORAGE. Each line that it prints is a JSON object: a partition that it took
or gave up, an event, a checkpoint that is stored.
"""

import asyncio
import json
import os
import sys
from collections import Counter

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore

EVENTS_A_CHECKPOINT = 10
BALANCED_EVERY = 1.0
OWNED_FOR = 15.0


def say(what: str, context: PartitionContext, sequence: int | None = None) -> None:
    print(json.dumps({"what": what, "partition": context.partition_id, "sequence": sequence}), flush=True)


async def took(context: PartitionContext) -> None:
    say("took", context)


async def gave_up(context: PartitionContext, _: object) -> None:
    say("gave up", context)


async def failed(context: PartitionContext | None, error: Exception) -> None:
    print(f"partition {context.partition_id if context else '*'}: {error!r}", file=sys.stderr, flush=True)


async def process(hub: str, consumer_group: str, container: str) -> None:
    read: Counter[str] = Counter()

    async def on_event(context: PartitionContext, event: EventData | None) -> None:
        if event is None:
            return
        say("event", context, event.sequence_number)
        read[context.partition_id] += 1
        if read[context.partition_id] % EVENTS_A_CHECKPOINT == 0:
            await context.update_checkpoint(event)
            say("checkpoint", context, event.sequence_number)

    store = BlobCheckpointStore.from_connection_string(os.environ["STORAGE"], container)
    client = EventHubConsumerClient.from_connection_string(
        os.environ["EVENTHUBS"],
        consumer_group,
        eventhub_name=hub,
        checkpoint_store=store,
        load_balancing_interval=BALANCED_EVERY,
        partition_ownership_expiration_interval=OWNED_FOR,
    )
    async with client:
        await client.receive(
            on_event,
            on_error=failed,
            on_partition_initialize=took,
            on_partition_close=gave_up,
            starting_position="-1",
        )


if __name__ == "__main__":
    asyncio.run(process(*sys.argv[1:]))
