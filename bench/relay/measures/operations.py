"""What a change costs in requests, sends and bytes, by how many of them upstream puts into a message.

The app takes the messages from the queue here, as the Functions host would do for it: a receive brings up to
`batchSize` of them. Upstream's own request that puts a message counts, too. Requests that come with time and not with
changes, as for the configuration, are left out of the sums.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from azure.storage.queue.aio import QueueClient

from bench.harness.checks import Check
from bench.harness.report import MeasuredPart
from bench.relay.filling import fill
from bench.relay.scene import CHANGES_A_PROFILE, COLD, DECK, Batch, changes_of, messages_of
from bench.relay.sizes import Sizes
from bench.relay.stacks import Run, Workers, started_stack
from bench.relay.worker import APP
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.bootstrap import clock

BATCH_SIZES = (1, 10, 100)
_SENDERS = 8
_ON_THE_WAY = ("Profiles: ", "AudienceMembers: ", "Undelivered: ")


def measure_operations(sizes: Sizes, directory: Path) -> MeasuredPart:
    per_change: dict[str, dict[str, Any]] = {}
    runs: dict[str, dict[str, Run]] = {}
    with started_stack(directory) as stack:
        profiles = sum(sizes.counted_changes // each for each in CHANGES_A_PROFILE.values()) * len(BATCH_SIZES)
        asyncio.run(fill(stack, DECK + profiles))
        with Workers(stack, [APP]) as workers:
            workers.run(APP, Batch(mix=COLD, first=0, changes=DECK, at=clock()))  # opens all connections
            first = DECK
            for mix in CHANGES_A_PROFILE:
                runs[mix], per_change[mix] = {}, {}
                for size in BATCH_SIZES:
                    batch = Batch(mix=mix, first=first, changes=sizes.counted_changes, at=clock())
                    first = batch.profiles.stop
                    run = runs[mix][str(size)] = _run(stack, workers, batch, size)
                    per_change[mix][str(size)] = operations_per_change(run, batch.changes)
    return MeasuredPart("operations", {"operations_per_change": per_change}, list(_checks(per_change)), runs)


def _run(stack: LocalStack, workers: Workers, batch: Batch, size: int) -> Run:
    messages = messages_of([json.dumps(change) for change in changes_of(batch)], size)
    asyncio.run(_put(stack, messages))
    run = workers.run_from_queue(len(messages))
    run["requests"][f"queue {CHANGES_QUEUE}: put"] = len(messages)
    if run["events"] != batch.changes:
        raise RuntimeError(f"{run['events']:,} events instead of {batch.changes:,}")
    return run


async def _put(stack: LocalStack, messages: list[str]) -> None:
    waiting = iter(messages)
    async with QueueClient.from_connection_string(
        stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False
    ) as queue:

        async def put() -> None:
            for message in waiting:
                await queue.send_message(message)

        await asyncio.gather(*(put() for _ in range(_SENDERS)))


def operations_per_change(run: Run, changes: int) -> dict[str, float]:
    """Of each kind, for one change: requests, sends to the hub, and bytes of bodies.

    `tableBytes` and `queueBytes` go both ways; `eventBytes` are those of events as the hub takes them.
    """
    requests: dict[str, int] = run["requests"]

    def bytes_of(service: str) -> int:
        return int(run["bytesOut"].get(service, 0) + run["bytesIn"].get(service, 0))

    counted = {
        "tableRequests": sum(count for kind, count in requests.items() if kind.startswith(_ON_THE_WAY)),
        "tableReads": requests.get("Profiles: read", 0),
        "queueRequests": sum(count for kind, count in requests.items() if kind.startswith(f"queue {CHANGES_QUEUE}:")),
        "sends": run["sends"],
        "events": run["events"],
        "tableBytes": bytes_of("table"),
        "queueBytes": bytes_of("queue"),
        "eventBytes": run["eventBytes"],
    }
    return {what: count / changes for what, count in counted.items()}


def _checks(per_change: dict[str, dict[str, Any]]) -> list[Check]:
    return [
        Check(
            what=f"{mix}: storage requests a change, {size} in a message",
            value=each["tableRequests"] + each["queueRequests"],
            of=f"{each['tableRequests']:.2f} to tables, {each['queueRequests']:.2f} to the queue; {each['sends']:.3f} "
            f"sends; bytes: tables {each['tableBytes']:,.0f}, queue {each['queueBytes']:,.0f}, "
            f"events {each['eventBytes']:,.0f}",
        )
        for mix, by_size in per_change.items()
        for size, each in by_size.items()
    ]
