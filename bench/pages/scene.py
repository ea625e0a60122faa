"""A configuration as wide as is asked for, and in the tables what was exported by it and what waits."""

from collections import defaultdict
from typing import Any

from bench.harness.batches import MOST_ROWS, Batches, Properties
from bench.harness.configured import configure
from bench.harness.parked import parked_row
from bench.harness.seeding import CollectingTable
from local.stack.local_stack import LocalStack
from shared.adapters.tables.audience_counts import TableAudienceCounts
from shared.adapters.tables.undelivered import TableUndelivered
from shared.bootstrap import Relay, build, clock
from shared.domain.audiences.counts import CountedAudiences
from shared.domain.instants import DAY, MINUTE, format_instant
from shared.domain.jsonvalue import canonical_json
from shared.ports.undelivered import StoredUndelivered
from shared.services.changes.export import InboundMessage

HOUR = 60 * MINUTE
HUB = "shown"
AUDIENCES = 250
_AUDIENCE_IDS = [f"audience-{number:03}" for number in range(AUDIENCES)]
_MAPPED = 46
_PROFILES = 20


def destination_id(number: int) -> str:
    return f"d{number:03}"


async def prepare(stack: LocalStack, destinations: int, waiting: int) -> None:
    """`destinations` that map the same, twenty profiles exported to each, `waiting` exports that the first one has not
    heard of, and a month of sweeps that counted the members of each audience.
    """
    await configure(stack, _configuration(destinations))
    relay = await build(stack.settings)
    try:
        await _export(relay)
    finally:
        await relay.close()
    async with Batches(stack.storage_connection_string) as batches:
        await _park(batches, waiting)
        await _sweep(batches)


def _configuration(destinations: int) -> dict[str, Any]:
    uploaded = {"id": "listed", "name": "Listed", "origin": "custom-upload"}
    return {
        "audiences": [{"id": each, "name": each.replace("-", " ")} for each in _AUDIENCE_IDS] + [uploaded],
        "destinations": [
            {"id": destination_id(number), "name": f"Destination {number}", "eventHubName": HUB}
            for number in range(destinations)
        ],
        "dataflows": [
            {"id": destination_id(number), "audiences": _AUDIENCE_IDS[:_MAPPED], "attributes": ["/person", "/loyalty"]}
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


async def _park(batches: Batches, rows: int) -> None:
    table = CollectingTable("Undelivered")
    parked = TableUndelivered(table)
    at = clock() - DAY
    partitions: defaultdict[str, list[Properties]] = defaultdict(list)
    for number in range(rows):
        row = parked_row(destination_id(0), f"missed-{number}", at, at)
        await parked.save(StoredUndelivered(row, None))
    for properties in table.rows:
        partitions[str(properties["PartitionKey"])].append(properties)
    for of_partition in partitions.values():
        for first in range(0, len(of_partition), MOST_ROWS):
            await batches.insert(table.name, of_partition[first : first + MOST_ROWS])


async def _sweep(batches: Batches) -> None:
    table = CollectingTable("Runs")
    counts = TableAudienceCounts(table)
    now = clock()
    for days in range(30, 0, -1):
        at = now - days * DAY + HOUR
        members = {("ups", each): 1_000 * number - days for number, each in enumerate(_AUDIENCE_IDS, 1)}
        crossings = {key: [number % 90, number % 40] for key, number in members.items()}
        await counts.put(CountedAudiences(at, at - DAY, members, crossings))
    await batches.insert(table.name, table.rows)
