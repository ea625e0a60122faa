"""How long a change takes from its message on the queue to its event in the hub, at shares of the capacity.

The app runs in the Functions host of the local stack. The capacity is the rate at which it empties a queue that is
filled at once. The load comes on a fixed schedule, whatever becomes of what came before, ten changes a message, and
a change's time begins when it is due: a sender that falls behind makes latencies longer, not shorter. It ends when the
hub stores the event, which is when it acknowledges it. A change that a later one of its profile overtook is not
exported, and has no time: `overtaken`.
"""

import asyncio
import sys
import time
from pathlib import Path

from bench.harness.checks import Check
from bench.harness.figures import percentile
from bench.harness.live_latencies import read_latencies
from bench.harness.live_load import PROFILES
from bench.harness.report import MeasuredPart
from bench.relay.filling import fill
from bench.relay.live_host import LiveHost, live_host
from bench.relay.sizes import Sizes
from bench.relay.stacks import started_stack
from local.stack.local_stack import LocalStack

SHARES = (0.25, 0.5, 0.8)
_PERCENTILES = (50, 95, 99)


def measure_latency(sizes: Sizes, directory: Path) -> MeasuredPart:
    # In memory Azurite stops for seconds each minute, to forget the queue messages that are gone one by one.
    with started_stack(directory, in_memory=False) as stack:
        asyncio.run(fill(stack, PROFILES))
        return asyncio.run(_measure(sizes, stack))


async def _measure(sizes: Sizes, stack: LocalStack) -> MeasuredPart:
    windows: dict[float, list[tuple[float, float]]] = {share: [] for share in SHARES}
    async with live_host(stack, PROFILES) as live:
        capacity = await live.capacity(sizes.calibration_changes)
        print(f"capacity: {capacity:,.0f} changes/s", file=sys.stderr, flush=True)
        for _ in range(sizes.latency_passes):
            for share in SHARES:
                windows[share].append(await _window(sizes, live, share * capacity))
        latencies = await read_latencies(stack, live.hub, live.load.sent_at)
    due = live.load.sent_at
    by_share = {
        share: sorted(
            latency
            for number, latency in latencies.items()
            if any(begin <= due[number] < end for begin, end in windows[share])
        )
        for share in SHARES
    }
    return _part(capacity, by_share, sum(number not in latencies for number in due))


async def _window(sizes: Sizes, live: LiveHost, rate: float) -> tuple[float, float]:
    """A while at `rate` changes a second; the times (begin, end) between which changes are counted."""
    began = time.time() + sizes.latency_warm_up
    await live.load.steady(rate, sizes.latency_warm_up + sizes.latency_window)
    ended = time.time()
    await live.emptied()
    return began, ended


def _part(capacity: float, by_share: dict[float, list[float]], overtaken: int) -> MeasuredPart:
    figures = {
        "capacity_changes_per_second": capacity,
        "latency_seconds": {
            f"{share:.0%}": {f"p{each}": percentile(latencies, each / 100) for each in _PERCENTILES}
            for share, latencies in by_share.items()
        },
        "changes": {f"{share:.0%}": len(latencies) for share, latencies in by_share.items()},
        "overtaken": overtaken,
    }
    checks = [Check(what="changes/s of one instance, ten in a message", value=capacity)]
    checks += [
        Check(
            what=f"seconds from the queue to the hub at {share:.0%} of that, p{each}",
            value=percentile(latencies, each / 100),
            of=f"{len(latencies):,} changes",
        )
        for share, latencies in by_share.items()
        for each in _PERCENTILES
    ]
    return MeasuredPart("latency", figures, checks)
