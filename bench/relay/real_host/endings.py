"""What a deployment and a scale-in cost in delay: instances end in each way that the platform has, under a steady load.

Run it: python -m bench.relay.real_host.endings. On the real host where FUNCTIONS_HOST names one, else on the stand-in,
whose leases are as long. Judged are the changes that were there and not exported when the first instance was told to
end, and those that came in the half minute after; a delay is from when a change was sent to its first export.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from azure.storage.queue.aio import QueueClient

from bench.harness.figures import percentile
from bench.harness.live_load import LiveLoad
from bench.harness.report import headline
from bench.relay.filling import fill
from bench.relay.live_host import SETTINGS
from bench.relay.real_host.exported import exports_by_number
from bench.relay.stacks import started_stack
from local.errors import LocalError
from local.eventually import eventually
from local.stack.functions_host import FunctionsHost, HostKind
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from local.stack.part import PROJECT, Part
from local.stack.real_host_tools import RUN_HOST

AFTER_SECONDS = 30.0
_CHANGES_A_MESSAGE = 20
_WARM_UP_SECONDS = 10.0
_LEASE_AND_A_POLL_SECONDS = 75.0
_DRAINED_WITHIN = 700.0
_DIRECTORY = Path(".local/bench/endings")


@dataclass(frozen=True)
class Ending:
    """`instances` run before; `go` ends some of them, and starts others."""

    name: str
    instances: int
    go: Callable[[LocalStack, HostKind], Awaitable[None]]


@dataclass
class Delays:
    """In seconds, in ascending order: `waiting` of what was there when the ending began, `after` of what came then."""

    waiting: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    duplicates: int = 0
    lost: int = 0

    def add(self, sent_at: Mapping[int, float], exports: Mapping[int, Sequence[float]], began: float) -> None:
        """What came of one ending that began then: `exports` are when each change was exported."""
        for number, at in sent_at.items():
            times = exports.get(number, ())
            self.duplicates += max(0, len(times) - 1)
            self.lost += not times
            if times and at < began < min(times):
                self.waiting.append(min(times) - at)
            elif times and began <= at < began + AFTER_SECONDS:
                self.after.append(min(times) - at)
        self.waiting.sort()
        self.after.sort()

    def __str__(self) -> str:
        return f"{_row(self.waiting)} | {_row(self.after)} | {self.duplicates} | {self.lost}"


def _row(ordered: Sequence[float]) -> str:
    """How many, p50, p99 and the worst."""
    worst = max(ordered, default=float("nan"))
    return f"{len(ordered):,} | {percentile(ordered, 0.5):.1f} | {percentile(ordered, 0.99):.1f} | {worst:.1f}"


async def _roll(stack: LocalStack, kind: HostKind) -> None:
    """A new instance first; then the old one is drained, and stopped."""
    (old,) = _running(stack)
    await _new(stack, kind)
    await asyncio.to_thread(old.stop)


async def _recreate_told(stack: LocalStack, kind: HostKind) -> None:
    """By SIGTERM, without a drain; the new instance starts when the old one is gone."""
    await asyncio.to_thread(Part.stop, _running(stack)[0])
    await _new(stack, kind)


async def _recreate_killed(stack: LocalStack, kind: HostKind) -> None:
    await asyncio.to_thread(_running(stack)[0].kill)
    await _new(stack, kind)


async def _scale_in_drained(stack: LocalStack, _: HostKind) -> None:
    await asyncio.to_thread(_running(stack)[-1].stop)


async def _scale_in_killed(stack: LocalStack, _: HostKind) -> None:
    await asyncio.to_thread(_running(stack)[-1].kill)


ENDINGS = (
    Ending("deployment, RollingUpdate", 1, _roll),
    Ending("deployment, Recreate, told to stop", 1, _recreate_told),
    Ending("deployment, Recreate, killed", 1, _recreate_killed),
    Ending("scale-in of one of two, drained", 2, _scale_in_drained),
    Ending("scale-in of one of two, killed", 2, _scale_in_killed),
)


def profiles_for(rate: float) -> int:
    """Enough that none changes twice in a round: what comes late would be outdated by that."""
    return int(rate * (2 * _WARM_UP_SECONDS + AFTER_SECONDS) * 1.1)


async def measure_ending(
    stack: LocalStack, kind: HostKind, ending: Ending, rate: float, delays: Delays, first: int
) -> int:
    """Once, with instances of its own; what came of it is added to `delays`. Changes are numbered from `first` on; the
    number of the next one.
    """
    for _ in range(ending.instances):
        await _new(stack, kind)
    connection_string = stack.storage_connection_string
    async with QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False) as queue:
        load = LiveLoad(queue, first, profiles_for(rate), changes_a_message=_CHANGES_A_MESSAGE)
        await load.steady(rate, _WARM_UP_SECONDS)
        load.sent_at.clear()
        sending = asyncio.create_task(load.steady(rate, _WARM_UP_SECONDS + AFTER_SECONDS))
        await asyncio.sleep(_WARM_UP_SECONDS)
        began = time.time()
        await ending.go(stack, kind)
        await sending
        await asyncio.sleep(max(0.0, began + _LEASE_AND_A_POLL_SECONDS - time.time()))
        await eventually(lambda: _empty(queue), timeout=_DRAINED_WITHIN)
    for host in _running(stack):
        await asyncio.to_thread(host.stop)
    delays.add(load.sent_at, await exports_by_number(stack), began)
    return load.next


async def _empty(queue: QueueClient) -> bool:
    return (await queue.get_queue_properties()).approximate_message_count == 0


async def _new(stack: LocalStack, kind: HostKind) -> None:
    await asyncio.to_thread(stack.start_functions_host, kind=kind, settings=SETTINGS, app_dir=PROJECT)


def _running(stack: LocalStack) -> list[FunctionsHost]:
    return [host for host in stack.functions_hosts if host.running]


def main(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    kind = HostKind.REAL if os.environ.get(RUN_HOST) else HostKind.STAND_IN
    wanted = [each for each in ENDINGS if args.only is None or args.only in each.name]
    try:
        with started_stack(_DIRECTORY, in_memory=False, tables_apart=True) as stack:
            asyncio.run(fill(stack, profiles_for(args.rate)))
            first = 0
            for ending in wanted:
                delays = Delays()
                for _ in range(args.rounds):
                    first = asyncio.run(measure_ending(stack, kind, ending, args.rate, delays, first))
                print(f"| {ending.name} | {delays} |", flush=True)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{kind.value} host: {headline(' '.join(['python -m bench.relay.real_host.endings', *arguments]))}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.relay.real_host.endings",
        description="End instances of the app in each way that a platform has, and tell what that costs in delay.",
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each ending (3)")
    parser.add_argument("--rate", type=float, default=200.0, help="changes a second, twenty in a message (200)")
    parser.add_argument("--only", help="the endings with this in their names")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
