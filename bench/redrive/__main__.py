"""`python -m bench.redrive`: how fast what is parked for a destination is sent. Run it: make bench-redrive.

Azurite, the local Event Hubs and the app's own services in this process share the machine. Exits 1 where a row was
left, lost or sent twice, or the rate is below the goal.
"""

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.harness.batches import MOST_ROWS, Batches, Properties
from bench.harness.configured import PARTITIONS, configure
from bench.harness.parked import parked_row
from bench.harness.people import DESTINATION, configuration, member_id, profile
from bench.harness.report import headline
from bench.harness.seeding import CollectingTable
from local.stack.local_stack import LocalStack
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.undelivered import TableUndelivered
from shared.bootstrap import build, clock, spare_the_collector
from shared.domain.instants import DAY
from shared.domain.profile_key import profile_key
from shared.ports.undelivered import StoredUndelivered
from shared.settings import PROFILE_BUCKETS

ROWS = 50_000
GOAL_PER_SECOND = 1_000
HUB = "redriven"
_DIRECTORY = Path(".local/bench/redrive")


@dataclass(frozen=True, slots=True)
class Redriven:
    """`events` that the hub has; `left` are rows. `cpuSeconds` are of the app's process alone."""

    rows: int
    seconds: float
    cpu_seconds: float
    runs: int
    events: int
    left: int

    @property
    def per_second(self) -> float:
        return self.rows / self.seconds

    @property
    def complete(self) -> bool:
        return self.events == self.rows and not self.left


async def park(connection_string: str, rows: int) -> None:
    """Store so many profiles, and for each a row as a worker parks it; all failed a day ago."""
    profiles, undelivered = CollectingTable("Profiles"), CollectingTable("Undelivered")
    store, parked = TableProfiles([profiles] * PROFILE_BUCKETS), TableUndelivered(undelivered)
    waiting: defaultdict[tuple[str, str], list[Properties]] = defaultdict(list)
    now = clock()
    async with Batches(connection_string) as batches:
        for profile_id in sorted(map(member_id, range(rows)), key=profile_key):
            person = profile(profile_id, now)
            await store.save(person)
            await parked.save(
                StoredUndelivered(parked_row(DESTINATION, profile_id, person.state.version, now - DAY), None)
            )
            for table in (profiles, undelivered):
                for row in table.rows:
                    key = table.name, str(row["PartitionKey"])
                    waiting[key].append(row)
                    if len(waiting[key]) == MOST_ROWS:
                        await batches.insert(table.name, waiting.pop(key))
                table.rows.clear()
        for (name, _), rest in waiting.items():
            await batches.insert(name, rest)


async def redrive(stack: LocalStack, rows: int) -> Redriven:
    """Run the timer's work until nothing is left, or a run sends nothing."""
    relay = await build(stack.settings | {"CONFIG_CACHE_SECONDS": "30"})
    spare_the_collector()  # as a worker does
    runs, sent, seconds, cpu_seconds = 0, 1, 0.0, 0.0
    try:
        while sent and await _left(relay.undelivered):
            began, cpu = time.perf_counter(), time.process_time()
            done = (await relay.services.watch_destinations.run()).summary().get(DESTINATION, {})
            seconds, cpu_seconds = seconds + time.perf_counter() - began, cpu_seconds + time.process_time() - cpu
            sent, runs = done.get("sent", 0), runs + 1
            print(f"run {runs}: {json.dumps(done)}, {rows / seconds:,.0f} a second at most so far", file=sys.stderr)
        events = stack.broker.stats().hubs[HUB].events
        return Redriven(rows, seconds, cpu_seconds, runs, events, await _left(relay.undelivered))
    finally:
        await relay.close()


async def _left(undelivered: TableUndelivered) -> int:
    return (await undelivered.count(DESTINATION, 1)).total


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.redrive", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many are parked (default {ROWS:,})")
    rows: int = parser.parse_args(arguments).rows
    shutil.rmtree(_DIRECTORY, ignore_errors=True)
    with LocalStack(_DIRECTORY, hubs={HUB: PARTITIONS}) as stack:
        asyncio.run(configure(stack, configuration(HUB)))
        asyncio.run(park(stack.storage_connection_string, rows))
        redriven = asyncio.run(redrive(stack, rows))
    print(headline(f"python -m bench.redrive --rows {rows}"))
    told: dict[str, Any] = asdict(redriven) | {"perSecond": round(redriven.per_second)}
    print(json.dumps(told))
    return 0 if redriven.complete and redriven.per_second >= GOAL_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
