"""Fills Azurite with people: the rows that the app's own adapters would write, a hundred at a time.

Rows go in by the order of their keys, for Azurite keeps its rows sorted in arrays.
"""

import asyncio
import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any

from bench.harness.batches import MOST_ROWS, Batches, Properties
from bench.harness.people import profile, profile_ids
from shared.adapters.tables.members import TableMembers
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service.table import Table
from shared.bootstrap import clock
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile_key import profile_key
from shared.settings import PROFILE_BUCKETS

_CONCURRENT_BATCHES = 4
_TOLD_EVERY = 100
_LINES = 20


class CollectingTable(Table):
    """Keeps the rows that an adapter wants to write."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: list[Properties] = []

    async def insert(self, properties: Mapping[str, Any]) -> str:
        self.rows.append(properties)
        return ""

    async def put(self, properties: Mapping[str, Any]) -> None:
        self.rows.append(properties)


class _Collector:
    """The rows of people, gathered into batches of one table and partition."""

    def __init__(self, listed_in: frozenset[AudienceKey] | None) -> None:
        self._listed_in = listed_in
        self._tables = [CollectingTable("Profiles"), CollectingTable("AudienceMembers")]
        self._profiles = TableProfiles([self._tables[0]] * PROFILE_BUCKETS)
        self._members = TableMembers(self._tables[1])
        self._waiting: defaultdict[tuple[str, str], list[Properties]] = defaultdict(list)

    async def add(self, profile_id: str, now: int) -> list[tuple[str, list[Properties]]]:
        """The batches that are full by now."""
        person = profile(profile_id, now)
        await self._profiles.save(person)
        for audience in person.state.memberships:
            if self._listed_in is None or audience in self._listed_in:
                await self._members.add(audience, person.key)
        full = []
        for table in self._tables:
            for row in table.rows:
                key = table.name, str(row["PartitionKey"])
                self._waiting[key].append(row)
                if len(self._waiting[key]) == MOST_ROWS:
                    full.append((table.name, self._waiting.pop(key)))
            table.rows.clear()
        return full

    def rest(self) -> list[tuple[str, list[Properties]]]:
        return [(table, rows) for (table, _), rows in self._waiting.items()]


@dataclass(frozen=True)
class Population:
    """Who is to be put into the tables of an account; `listed_in` None lists everybody in all their audiences."""

    connection_string: str
    members: int
    outsiders: int
    listed_in: frozenset[AudienceKey] | None

    @property
    def size(self) -> int:
        return self.members + self.outsiders


def seed(populations: Sequence[Population]) -> None:
    """Fill tables, which must be there and empty, those of all accounts side by side; tells on stderr how far it is."""
    people = sum(population.size for population in populations)
    began = time.monotonic()
    spawning = multiprocessing.get_context("spawn")
    told: Queue[int] = spawning.Queue()
    processes = [spawning.Process(target=_seed, args=(each, told), daemon=True) for each in populations]
    for process in processes:
        process.start()
    seeded, end = 0, "\r" if sys.stderr.isatty() else "\n"
    for threshold in range(people // _LINES, people + 1, people // _LINES):
        while seeded < threshold:
            seeded += _next(told, processes)
        print(
            f"{seeded:,} of {people:,} profiles in the tables ({time.monotonic() - began:.0f} s)",
            end=end,
            file=sys.stderr,
            flush=True,
        )
    for process in processes:
        process.join()


def _next(told: "Queue[int]", processes: Sequence[BaseProcess]) -> int:
    while True:
        try:
            return told.get(timeout=1)
        except Empty:
            if any(process.exitcode for process in processes):
                raise RuntimeError("filling the tables failed; the reason stands above") from None


def _seed(population: Population, told: "Queue[int]") -> None:
    asyncio.run(_insert_people(population, told))


async def _insert_people(population: Population, told: "Queue[int]") -> None:
    ids = sorted(profile_ids(population.members, population.outsiders), key=profile_key)
    collector, now = _Collector(population.listed_in), clock()
    async with Batches(population.connection_string) as batches:
        ahead = asyncio.Semaphore(_CONCURRENT_BATCHES)

        async def insert(table: str, rows: list[Properties]) -> None:
            try:
                await batches.insert(table, rows)
            finally:
                ahead.release()

        async with asyncio.TaskGroup() as inserting:
            for number, profile_id in enumerate(ids, start=1):
                for table, rows in await collector.add(profile_id, now):
                    await ahead.acquire()
                    inserting.create_task(insert(table, rows))
                if number % _TOLD_EVERY == 0:
                    told.put(_TOLD_EVERY)
            for table, rows in collector.rest():
                await ahead.acquire()
                inserting.create_task(insert(table, rows))
    told.put(len(ids) % _TOLD_EVERY)
