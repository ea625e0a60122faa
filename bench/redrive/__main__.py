"""`python -m bench.redrive`: how fast what is parked for a destination is sent. Run it: make bench-redrive.

Instances of the app, the local Event Hubs and the tables share the machine. Tables are in a stand-in for Table Storage
that takes little of it, or in Azurite. Exits 1 where a row was left, lost or sent twice, or the rate is below the goal.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.harness.batches import MOST_ROWS, Batches, Properties
from bench.harness.configured import PARTITIONS, configure_storage
from bench.harness.parked import parked_row
from bench.harness.people import DESTINATION, configuration, member_id, profile
from bench.harness.report import headline
from bench.harness.seeding import CollectingTable
from bench.harness.worker_process import WorkerProcess
from bench.tables.stand_in import TableStandIn
from local.stack.local_stack import LocalStack
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service.table import Account, Table
from shared.adapters.tables.undelivered import TableUndelivered
from shared.bootstrap import clock
from shared.domain.instants import DAY
from shared.domain.profile_key import profile_key
from shared.ports.undelivered import StoredUndelivered
from shared.settings import PROFILE_BUCKETS, Settings

ROWS = 50_000
GOAL_PER_SECOND = 1_000
HUB = "redriven"
STAND_IN = "stand-in"
_DIRECTORY = Path(".local/bench/redrive").absolute()
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Redriven:
    """`events` that the hub has; `left` are rows. `cpu_seconds` are of the app's processes alone. `load`: how many
    processes wanted to run just before, on average of a minute.
    """

    rows: int
    instances: int
    tables: str
    load: float
    seconds: float
    cpu_seconds: float
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
                for stored in table.rows:
                    key = table.name, str(stored["PartitionKey"])
                    waiting[key].append(stored)
                    if len(waiting[key]) == MOST_ROWS:
                        await batches.insert(table.name, waiting.pop(key))
                table.rows.clear()
        for (name, _), rest in waiting.items():
            await batches.insert(name, rest)


def redrive(stack: LocalStack, settings: Mapping[str, str], rows: int, instances: int) -> tuple[float, float, int]:
    """Run the timer on one of the instances until nothing is left, or nothing happens any more: the seconds that took,
    those of the instances' CPU, and the rows that are left.
    """
    with ExitStack() as running:
        logs = [_DIRECTORY / "logs" / f"instance-{number}.log" for number in range(instances)]
        workers = [running.enter_context(WorkerProcess("bench.redrive.worker", settings, log)) for log in logs]
        used = sum(each.ask({"watch": False})["cpuSeconds"] for each in workers)
        began, left, seconds, happened = time.perf_counter(), rows, 0.0, True
        while left and happened:
            done = workers[0].ask({"watch": True})["done"].get(DESTINATION, {})
            before, happened = stack.broker.stats().hubs[HUB].events, bool(done)
            time.sleep(_LOOK_SECONDS)
            left, seconds = asyncio.run(_left(settings)), time.perf_counter() - began
            print(f"{seconds:.0f} s: {before:,} events; {json.dumps(done)}", file=sys.stderr)
        return seconds, sum(each.ask({"watch": False})["cpuSeconds"] for each in workers) - used, left


async def _left(settings: Mapping[str, str]) -> int:
    async with Account(Settings.from_environment(settings).tables("RELAY_STORAGE")) as account:
        return (await TableUndelivered(Table(account, "Undelivered")).count(DESTINATION, 1)).total


def measure(rows: int, instances: int, tables: str) -> Redriven:
    shutil.rmtree(_DIRECTORY, ignore_errors=True)
    with LocalStack(_DIRECTORY, hubs={HUB: PARTITIONS}) as stack, ExitStack() as parts:
        settings = stack.settings | {"CONFIG_CACHE_SECONDS": "30"}
        if tables == STAND_IN:
            stand_in = parts.enter_context(TableStandIn(_DIRECTORY / "logs" / "tables.log"))
            stand_in.start()
            settings["RELAY_STORAGE"] = stand_in.connection_string("relay", stack.storage_connection_string)
        asyncio.run(configure_storage(settings, configuration(HUB)))
        asyncio.run(park(settings["RELAY_STORAGE"], rows))
        load = os.getloadavg()[0]
        seconds, cpu_seconds, left = redrive(stack, settings, rows, instances)
        events = stack.broker.stats().hubs[HUB].events
    return Redriven(rows, instances, tables, load, seconds, cpu_seconds, events, left)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.redrive", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many are parked (default {ROWS:,})")
    parser.add_argument("--instances", type=int, default=2, help="how many of the app there are (default 2)")
    parser.add_argument("--tables", choices=(STAND_IN, "azurite"), default=STAND_IN, help=f"default {STAND_IN}")
    args = parser.parse_args(arguments)
    redriven = measure(args.rows, args.instances, args.tables)
    print(headline(f"python -m bench.redrive --rows {args.rows} --instances {args.instances} --tables {args.tables}"))
    told: dict[str, Any] = asdict(redriven) | {"per_second": round(redriven.per_second)}
    print(json.dumps(told))
    return 0 if redriven.complete and redriven.per_second >= GOAL_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
