"""A configuration as wide as is asked for, and in the tables what was exported by it and what waits."""

from collections import defaultdict
from typing import Any

from bench.harness.batches import MOST_ROWS, Batches, Properties
from bench.harness.configured import configure
from bench.harness.parked import parked_row
from bench.harness.seeding import CollectingTable
from local.stack.local_stack import LocalStack
from shared.adapters.tables.undelivered import TableUndelivered
from shared.bootstrap import Relay, build, clock
from shared.domain.instants import DAY, format_instant
from shared.domain.jsonvalue import canonical_json
from shared.ports.undelivered import StoredUndelivered
from shared.services.changes.export import InboundMessage

HUB = "shown"
AUDIENCES = 250
_MAPPED = 46
_PROFILES = 20


def destination_id(number: int) -> str:
    return f"d{number:03}"


async def prepare(stack: LocalStack, destinations: int, waiting: int) -> None:
    """`destinations` that map the same, twenty profiles exported to each, and `waiting` exports that the first one has
    not heard of.
    """
    await configure(stack, _configuration(destinations))
    relay = await build(stack.settings)
    try:
        await _export(relay)
    finally:
        await relay.close()
    await _park(stack.storage_connection_string, waiting)


def _configuration(destinations: int) -> dict[str, Any]:
    ids = [f"audience-{number:03}" for number in range(AUDIENCES)]
    uploaded = {"id": "listed", "name": "Listed", "origin": "custom-upload"}
    return {
        "audiences": [{"id": each, "name": each.replace("-", " ")} for each in ids] + [uploaded],
        "destinations": [
            {"id": destination_id(number), "name": f"Destination {number}", "eventHubName": HUB}
            for number in range(destinations)
        ],
        "dataflows": [
            {"id": destination_id(number), "audiences": ids[:_MAPPED], "attributes": ["/person", "/loyalty"]}
            for number in range(destinations)
        ],
    }


async def _export(relay: Relay) -> None:
    at = format_instant(clock())
    entered = {"ups": {"audience-000": {"status": "realized", "lastQualificationTime": at}}}
    changes = [
        {
            "profileId": f"profile-{number}",
            "occurredAt": at,
            "attributes": {"person": {"name": {"firstName": f"Given {number}"}}, "loyalty": {"points": number}},
            "segmentMembership": entered,
        }
        for number in range(_PROFILES)
    ]
    message = InboundMessage("seeded", canonical_json(changes).encode(), clock())
    outcome = await relay.services.export_changes.handle(message)
    if outcome.undelivered or outcome.quarantined:
        raise RuntimeError(f"each export has to be acknowledged: {outcome.summary()}")


async def _park(connection_string: str, rows: int) -> None:
    table = CollectingTable("Undelivered")
    parked = TableUndelivered(table)
    at = clock() - DAY
    partitions: defaultdict[str, list[Properties]] = defaultdict(list)
    for number in range(rows):
        row = parked_row(destination_id(0), f"missed-{number}", at, at)
        await parked.save(StoredUndelivered(row, None))
    for properties in table.rows:
        partitions[str(properties["PartitionKey"])].append(properties)
    async with Batches(connection_string) as batches:
        for of_partition in partitions.values():
            for first in range(0, len(of_partition), MOST_ROWS):
                await batches.insert(table.name, of_partition[first : first + MOST_ROWS])
