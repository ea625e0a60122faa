"""The app in the real Functions host beside the app in its stand-in, by messages of one change and of twenty.

A queue is filled before the host starts, and measured is from when a quarter of it is gone to its end: neither the
start nor the sender is in it. CPU is that of the host's processes: the stand-in is host and worker in one.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from azure.storage.queue.aio import QueueClient

from bench.harness.checks import Check
from bench.harness.live_load import LiveLoad
from bench.harness.report import MeasuredPart
from bench.relay.filling import fill
from bench.relay.live_host import SETTINGS
from bench.relay.sizes import Sizes
from bench.relay.stacks import started_stack
from local.stack.functions_host import HostKind
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from local.stack.real_host_tools import RUN_HOST, WORKER_PYTHON, worker_pythons

PROFILES = 4_000
_WARM_UP = 0.25
_LOOK_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Host:
    name: str
    kind: HostKind
    python: Path


@dataclass(frozen=True)
class _Look:
    """How many messages were `left`, and the CPU seconds that the host's own process and its worker had taken."""

    at: float
    left: int
    host: float
    worker: float


def measure_hosts(sizes: Sizes, directory: Path) -> MeasuredPart:
    """Of those that this machine has: without FUNCTIONS_HOST the stand-in alone."""
    hosts = list(_hosts())
    runs: dict[str, dict[str, list[dict[str, float]]]] = {
        host.name: {str(size): [] for size in sizes.host_messages} for host in hosts
    }
    # In memory Azurite stops for seconds each minute, to forget the queue messages that are gone one by one.
    with started_stack(directory, in_memory=False) as stack:
        asyncio.run(fill(stack, PROFILES))
        first = 0
        for _ in range(sizes.host_rounds):
            for size, messages in sizes.host_messages.items():
                for host in hosts:
                    run = asyncio.run(_run(stack, host, first, size, messages))
                    first += size * messages
                    runs[host.name][str(size)].append(run)
                    print(f"{host.name}, {size} a message: {run}", file=sys.stderr, flush=True)
    figures = {
        name: {
            size: {what: median(run[what] for run in of_size) for what in of_size[0]}
            for size, of_size in by_size.items()
        }
        for name, by_size in runs.items()
    }
    return MeasuredPart("hosts", {"hosts": figures}, list(_checks(figures, sizes.host_rounds)), runs)


def _hosts() -> Iterator[_Host]:
    yield _Host(f"stand-in, Python {sys.version_info.major}.{sys.version_info.minor}", HostKind.STAND_IN, Path())
    if not os.environ.get(RUN_HOST):
        print(f"{RUN_HOST} names no host: the stand-in is measured alone", file=sys.stderr, flush=True)
        return
    for version, python in worker_pythons().items():
        yield _Host(f"real host, Python {version}", HostKind.REAL, python)


async def _run(stack: LocalStack, host: _Host, first: int, size: int, messages: int) -> dict[str, float]:
    connection_string = stack.storage_connection_string
    async with QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False) as queue:
        load = LiveLoad(queue, first, PROFILES, changes_a_message=size)
        await load.burst(size * messages)
        looking = asyncio.create_task(_looks(queue, stack, messages))
        try:
            with _worker_python(host.python):
                await asyncio.to_thread(stack.start_functions_host, kind=host.kind, settings=SETTINGS)
            # Begun before, for a host is at work before the stack knows that all of it is there.
            looks = await looking
        finally:
            looking.cancel()
            await asyncio.to_thread(stack.functions_host.kill)
    end = looks[-1]
    begin = next((look for look in looks if 0 < look.left <= messages * (1 - _WARM_UP)), looks[0])
    handled = begin.left - end.left
    return {
        "messages_per_second": handled / (end.at - begin.at),
        "host_ms": 1_000 * (end.host - begin.host) / handled,
        "worker_ms": 1_000 * (end.worker - begin.worker) / handled,
    }


@contextmanager
def _worker_python(python: Path) -> Iterator[None]:
    before = os.environ.get(WORKER_PYTHON)
    os.environ[WORKER_PYTHON] = str(python)
    try:
        yield
    finally:
        os.environ.pop(WORKER_PYTHON)
        if before is not None:
            os.environ[WORKER_PYTHON] = before


async def _looks(queue: QueueClient, stack: LocalStack, messages: int) -> list[_Look]:
    """From when the queue is full to when it is empty; one for each time that it is less full."""
    looks = [_Look(time.monotonic(), messages, 0.0, 0.0)]
    while looks[-1].left:
        await asyncio.sleep(_LOOK_SECONDS)
        left = (await queue.get_queue_properties()).approximate_message_count or 0
        if left < looks[-1].left:
            looks.append(_Look(time.monotonic(), left, *_cpu_seconds(stack.functions_host.pid)))
    return looks


def _cpu_seconds(host: int) -> tuple[float, float]:
    """Of the process with this id, and of all others of its group."""
    taken = {True: 0.0, False: 0.0}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended since it was listed
        fields = text.rpartition(")")[2].split()
        if int(fields[2]) == host:
            taken[int(stat.parent.name) == host] += (int(fields[11]) + int(fields[12])) / _TICKS
    return taken[True], taken[False]


def _checks(figures: Mapping[str, Mapping[str, Mapping[str, float]]], rounds: int) -> Iterator[Check]:
    for name, by_size in figures.items():
        for size, figure in by_size.items():
            yield Check(
                what=f"messages/s of one instance, {_changes(size)}, {name}",
                value=figure["messages_per_second"],
                of=f"CPU a message: {_cpu(figure)}; medians of {rounds} rounds",
            )


def _changes(size: str) -> str:
    return "one change in each" if size == "1" else f"{size} changes in each"


def _cpu(figure: Mapping[str, float]) -> str:
    host, worker = figure["host_ms"], figure["worker_ms"]
    return f"host {host:.1f} ms, worker {worker:.1f} ms" if worker else f"{host:.1f} ms"
