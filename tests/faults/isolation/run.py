"""One run of the isolation measurement, on a stack of its own: nothing of an earlier run can be left in it."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from azure.storage.queue.aio import QueueClient

from local.broker.control import Fault, FaultKind
from local.commands.apply import apply
from local.eventually import eventually
from local.exports import read_exports
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.domain.configuration.model import parse_configuration_file
from tests.faults.isolation.load import PARTITIONS, Destinations, Load, configuration
from tests.faults.isolation.results import Delivery, Run
from tests.faults.load.storage import Storage

Kind = Literal["stalled", "dead"]
_FAULTS: dict[Kind, FaultKind] = {"stalled": "stall", "dead": "reject"}
_WARM_UP_SECONDS = 10.0
_CALIBRATION_CHANGES = 1_500
_SHARE_OF_CAPACITY = 0.4
"""Of the rate that empties a deep queue, whose large batches cost less a change than those of a steady load."""
_EMPTY_WITHIN = 180.0
"""With ten destinations; with more of them it takes longer."""
_READ_WITHIN = 180.0
_EXPORTED = "exported {"
_NEVER = "0 0 0 1 1 *"
_CHANGES_ALONE = {"BACKFILL_SCHEDULE": _NEVER, "ALERT_SCHEDULE": _NEVER}


@dataclass(frozen=True)
class _Bench:
    stack: LocalStack
    storage: Storage
    load: Load
    destinations: Destinations

    async def emptied(self) -> None:
        async def empty() -> bool:
            return not await self.storage.waiting([CHANGES_QUEUE])

        await eventually(empty, timeout=_EMPTY_WITHIN * max(1, len(self.destinations.all) / 10))


@asynccontextmanager
async def _bench(directory: Path, destinations: Destinations) -> AsyncIterator[_Bench]:
    """The app with its own default settings; every profile is in the audience already."""
    with LocalStack(directory, hubs=dict.fromkeys(destinations.all, PARTITIONS)) as stack:
        connection_string = stack.storage_connection_string
        await apply(connection_string, parse_configuration_file(configuration(destinations)))
        await asyncio.to_thread(stack.start_functions_host, settings=_CHANGES_ALONE)
        async with (
            Storage(connection_string) as storage,
            QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False) as queue,
        ):
            bench = _Bench(stack, storage, Load(queue), destinations)
            await bench.load.qualify()
            await bench.emptied()
            yield bench


async def calibrate(directory: Path, destinations: Destinations) -> float:
    """Changes a second: a bit below what this machine can do with all destinations well."""
    async with _bench(directory, destinations) as bench:
        began = time.monotonic()
        await bench.load.burst(_CALIBRATION_CHANGES)
        await bench.emptied()
        return _SHARE_OF_CAPACITY * _CALIBRATION_CHANGES / (time.monotonic() - began)


async def run(directory: Path, destinations: Destinations, kind: Kind | None, rate: float, seconds: float) -> Run:
    """The measured `seconds` begin with the fault of this `kind`, if there is one."""
    load_average = os.getloadavg()[0]
    async with _bench(directory, destinations) as bench:
        first = len(bench.load.sent_at)
        sending = asyncio.create_task(bench.load.steady(rate, _WARM_UP_SECONDS + seconds))
        await asyncio.sleep(_WARM_UP_SECONDS)
        began = time.time()
        if kind is not None:
            bench.stack.broker.set_faults(*(Fault(kind=_FAULTS[kind], hub=hub) for hub in destinations.broken))
        await sending
        await bench.emptied()
        rows = Counter((await bench.storage.undelivered()).values())
        await asyncio.to_thread(bench.stack.functions_host.stop)
        measured = [
            (number, sent_at)
            for number, sent_at in enumerate(bench.load.sent_at)
            if number >= first and sent_at >= began
        ]
        return Run.of(
            kind=kind,
            seconds=seconds,
            began=began,
            sent_at=dict(measured),
            deliveries=await _deliveries(bench.stack, destinations.sound, first),
            undelivered_rows=dict(rows),
            undelivered_exports=undelivered_exports(bench.stack.functions_host.log),
            load_average=load_average,
        )


async def _deliveries(stack: LocalStack, hubs: Sequence[str], first: int) -> list[Delivery]:
    """What these hubs have got of the changes from number `first` on."""
    stats = stack.broker.stats().hubs
    count = sum(stats[hub].events for hub in hubs)
    reading = read_exports(stack.event_hubs_connection_string, hubs, count=count, timeout=_READ_WITHIN)
    read = [(export.hub, export.body["change"], export.enqueued_time.timestamp()) async for export in reading]
    if len(read) != count:
        raise RuntimeError(f"only {len(read):,} of {count:,} events were read back within {_READ_WITHIN:g} s")
    return [Delivery(*each) for each in read if each[1] >= first]


def undelivered_exports(log: Path) -> dict[str, int]:
    """How many exports the app says that it stored instead of sending, by destination and the state of their rows."""
    counts: Counter[str] = Counter()
    for line in log.read_text(encoding="utf-8").splitlines():
        _, found, rest = line.partition(_EXPORTED)
        if found:
            summary, _ = json.JSONDecoder().raw_decode("{" + rest)
            for destination, states in summary["undelivered"].items():
                counts.update({f"{destination} {state}": count for state, count in states.items()})
    return dict(counts)
