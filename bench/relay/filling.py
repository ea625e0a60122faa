"""Fills the tables of a stack with the measured profiles, as each of those who are compared would have stored them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from azure.data.tables.aio import TableServiceClient

from bench.harness.batches import MOST_ROWS, Batches, Properties
from bench.harness.people import member_id, outsider_id, profile
from bench.harness.seeding import CollectingTable
from bench.relay import tutorial
from local.stack.local_stack import LocalStack
from shared.adapters.tables.profiles import TableProfiles
from shared.bootstrap import clock
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.settings import PROFILE_BUCKETS

_CONCURRENT_BATCHES = 8
_PROFILES = "Profiles"


async def fill(stack: LocalStack, profiles: int, *, others: int = 0, for_tutorial: bool = False) -> None:
    """Store `profiles`, numbered from 0 on, in tables that are there and empty.

    `others` only take room: rows of the same size, which nobody reads.
    """
    table, now = CollectingTable(_PROFILES), clock()
    adapter = TableProfiles([table] * PROFILE_BUCKETS)
    tutorials: list[Properties] = []
    for number in range(profiles):
        person = profile(member_id(number), now)
        await adapter.save(person)
        if for_tutorial:
            tutorials.append(tutorial.row_of(person.state))
    rows = table.rows + [_like(table.rows[number % profiles], outsider_id(number)) for number in range(others)]
    async with Batches(stack.storage_connection_string) as batches:
        await _insert(batches, _PROFILES, rows)
        if for_tutorial:
            await _make_table(stack, tutorial.TABLE)
            await _insert(batches, tutorial.TABLE, tutorials)


async def _make_table(stack: LocalStack, name: str) -> None:
    connection_string = stack.storage_connection_string
    async with TableServiceClient.from_connection_string(connection_string, use_env_settings=False) as account:
        await account.create_table(name)


def _like(row: Properties, profile_id: str) -> Properties:
    key = profile_key(profile_id)
    return {**row, "PartitionKey": f"{bucket_of_key(key, PROFILE_BUCKETS):04}", "RowKey": key}


async def _insert(batches: Batches, table: str, rows: Iterable[Properties]) -> None:
    """By the order of their keys, for Azurite keeps its rows sorted in arrays."""
    by_partition: defaultdict[str, list[Properties]] = defaultdict(list)
    for row in sorted(rows, key=lambda each: (each["PartitionKey"], each["RowKey"])):
        by_partition[row["PartitionKey"]].append(row)
    turns = asyncio.Semaphore(_CONCURRENT_BATCHES)

    async def insert(some: list[Properties]) -> None:
        async with turns:
            await batches.insert(table, some)

    await asyncio.gather(
        *(
            insert(partition[first : first + MOST_ROWS])
            for partition in by_partition.values()
            for first in range(0, len(partition), MOST_ROWS)
        )
    )
