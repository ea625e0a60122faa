"""What a backfill costs live changes: their latency without and with one, on the functions host, in turns."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from azure.storage.queue.aio import QueueClient

from bench.backfill.instance import requested_backfill
from bench.backfill.prepared_stack import People, prepared_stacks
from bench.backfill.sizes import Sizes
from bench.harness.configured import PARTITIONS, configure
from bench.harness.figures import percentile
from bench.harness.live_latencies import read_latencies
from bench.harness.live_load import LiveLoad
from bench.harness.people import MEMBERS, configuration
from local.eventually import eventually
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.bootstrap import Relay, build
from shared.ports.backfills import StoredBackfill

_SHARE_OF_CAPACITY = 0.4
"""Of the rate that empties a deep queue, whose large batches cost less a change than those of a steady load."""
_STANDS_STILL_AFTER = 120.0
_EMPTY_WITHIN = 180.0
_FIRST_CHANGE = 1_000_000
_CONFIG_CACHE_SECONDS = "30"  # as in Azure; the stack has 1
_EVERY_SECOND = "* * * * * *"


@dataclass(frozen=True, kw_only=True)
class LiveRun:
    """Latencies are seconds from a change's message being sent to its event in the hub.

    `backfilled_per_second`: members that the backfill dealt with in the window, None without one. `missing`: of two
    changes of a profile that were applied in the wrong order only the later one is exported.
    """

    backfilled_per_second: float | None
    p50: float
    p95: float
    p99: float
    changes: int
    missing: int
    load_average: float


def measure_live(sizes: Sizes, directory: Path) -> tuple[float, list[LiveRun]]:
    """The rate of the changes, and the runs without and with a backfill in turns."""
    people = People(members=sizes.live_members, listed_in=frozenset({MEMBERS}))
    with prepared_stacks(directory, {"live": people}) as stacks:
        return asyncio.run(_measure(_Runs(stacks["live"], sizes), sizes.live_pairs))


async def _measure(runs: "_Runs", pairs: int) -> tuple[float, list[LiveRun]]:
    rate = await runs.calibrate()
    _tell(f"{rate:.0f} live changes/s")
    measured = []
    for number in range(2 * pairs):
        measured.append(await runs.run(rate, backfill=bool(number % 2)))
        _tell(str(measured[-1]))
    return rate, measured


class _Runs:
    """On one stack, each with a hub and a host of its own."""

    def __init__(self, stack: LocalStack, sizes: Sizes) -> None:
        self._stack = stack
        self._sizes = sizes
        self._numbers = count(1)
        self._next_change = _FIRST_CHANGE

    async def calibrate(self) -> float:
        """Changes a second: what this machine can do with ease when nothing else is going on."""
        async with self._host() as (load, _):
            await load.burst(self._sizes.calibration_changes // 5)
            await self._emptied()
            began = time.monotonic()
            await load.burst(self._sizes.calibration_changes)
            await self._emptied()
            return _SHARE_OF_CAPACITY * self._sizes.calibration_changes / (time.monotonic() - began)

    async def run(self, rate: float, *, backfill: bool) -> LiveRun:
        """One window of latencies, after a warm-up, with a backfill that goes on all the time or without."""
        load_average = os.getloadavg()[0]
        relay = await build(self._stack.settings)
        try:
            async with self._host() as (load, hub):
                running = await self._start_backfill(relay) if backfill else None
                warm_up, seconds = self._sizes.live_warm_up_seconds, self._sizes.live_seconds
                sending = asyncio.create_task(load.steady(rate, warm_up + seconds))
                await asyncio.sleep(warm_up)
                began, before = time.time(), await _members(relay, running)
                await sending
                after = await _members(relay, running)
                # A machine that is busy with other things may leave a short window no step of the backfill.
                while running is not None and after == before and time.time() - began < _STANDS_STILL_AFTER:
                    await load.steady(rate, seconds)
                    after = await _members(relay, running)
                took = time.time() - began
                if running is not None:  # so that it does not go on in the next run
                    await relay.services.plan_backfills.cancel(running.backfill.id)
                await self._emptied()
        finally:
            await relay.close()
        if running is not None and not 0 < before < after:
            raise RuntimeError(f"the backfill stood still: {before:,} members before the window, {after:,} after it")
        sent_at = {number: at for number, at in load.sent_at.items() if at >= began}
        latencies = sorted((await read_latencies(self._stack, hub, sent_at)).values())
        return LiveRun(
            backfilled_per_second=None if running is None else (after - before) / took,
            p50=percentile(latencies, 0.5),
            p95=percentile(latencies, 0.95),
            p99=percentile(latencies, 0.99),
            changes=len(sent_at),
            missing=len(sent_at) - len(latencies),
            load_average=load_average,
        )

    @property
    def _settings(self) -> dict[str, str]:
        cap = self._sizes.live_per_second
        slowly = {} if cap is None else {"BACKFILL_PER_SECOND": str(cap)}
        return {"CONFIG_CACHE_SECONDS": _CONFIG_CACHE_SECONDS, "BACKFILL_SCHEDULE": _EVERY_SECOND, **slowly}

    @asynccontextmanager
    async def _host(self) -> AsyncIterator[tuple[LiveLoad, str]]:
        hub = f"live-{next(self._numbers)}"
        self._stack.broker.create_hub(hub, PARTITIONS)
        await configure(self._stack, configuration(hub))
        host = await asyncio.to_thread(self._stack.start_functions_host, settings=self._settings)
        try:
            async with self._queue() as queue:
                load = LiveLoad(queue, self._next_change)
                yield load, hub
                self._next_change = load.next
        finally:
            host.stop()  # in order: one that is killed keeps the locks of its timers for a minute

    async def _start_backfill(self, relay: Relay) -> StoredBackfill:
        stored = StoredBackfill(requested_backfill(f"live-{next(self._numbers)}"), None)
        await relay.backfills.save(stored)

        async def has_begun() -> bool:
            return await _members(relay, stored) > 0

        await eventually(has_begun, timeout=60)
        return stored

    async def _emptied(self) -> None:
        async with self._queue() as queue:

            async def empty() -> bool:
                return (await queue.get_queue_properties()).approximate_message_count == 0

            await eventually(empty, timeout=_EMPTY_WITHIN)

    def _queue(self) -> QueueClient:
        connection_string = self._stack.storage_connection_string
        return QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False)


async def _members(relay: Relay, running: StoredBackfill | None) -> int:
    """How many it has dealt with, if there is one; raises RuntimeError when it has ended."""
    if running is None:
        return 0
    stored = await relay.backfills.load(running.backfill.id)
    if stored is None or stored.backfill.finished:
        raise RuntimeError("the backfill ended before the measurement: it needs more members")
    return (await relay.services.backfill_statuses.of(stored.backfill)).progress.members


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
