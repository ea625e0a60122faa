"""How much memory a worker takes over time: the app in the Functions host of the local stack, at half its capacity.

It is the resident memory of the whole process, with the host's stand-in in it, once every profile was seen: what the
worker remembers of them is in it by then.
"""

import asyncio
from pathlib import Path
from statistics import median

from bench.harness.checks import Check
from bench.harness.report import MeasuredPart
from bench.relay.filling import fill
from bench.relay.live_host import live_host
from bench.relay.sizes import Sizes
from bench.relay.stacks import started_stack
from local.errors import LocalError
from local.stack.local_stack import LocalStack

_SHARE_OF_CAPACITY = 0.5
_SAMPLES = 60
_AT_AN_END = 6
_MOST_GROWTH = 1.05
_MOST_MIB = 200
_LEAST_EXPORTED = 0.9  # a change that a later one of its profile overtook is not exported


class NoMemoryFiguresError(LocalError):
    """The system does not say how much memory a process takes."""


def measure_memory(sizes: Sizes, directory: Path) -> MeasuredPart:
    """Raises NoMemoryFiguresError."""
    if not Path("/proc/self/status").exists():
        raise NoMemoryFiguresError("memory is measured by /proc, which this system does not have: run it on Linux")
    with started_stack(directory) as stack:
        asyncio.run(fill(stack, sizes.memory_profiles))
        return asyncio.run(_measure(sizes, stack))


async def _measure(sizes: Sizes, stack: LocalStack) -> MeasuredPart:
    samples: list[float] = []
    async with live_host(stack, sizes.memory_profiles) as live:
        rate = _SHARE_OF_CAPACITY * await live.capacity(sizes.calibration_changes)
        warm_up = max(sizes.memory_warm_up, sizes.memory_profiles / rate)
        sending = asyncio.create_task(live.load.steady(rate, warm_up + sizes.memory_seconds))
        await asyncio.sleep(warm_up)
        for _ in range(_SAMPLES):
            samples.append(_resident(live.host.pid, "VmRSS"))
            await asyncio.sleep(sizes.memory_seconds / _SAMPLES)
        await sending
        await live.emptied()
        peak = _resident(live.host.pid, "VmHWM")
        sent, exported = len(live.load.sent_at), stack.broker.stats().hubs[live.hub].events
    if exported < _LEAST_EXPORTED * sent:
        raise RuntimeError(f"of {sent:,} changes only {exported:,} were exported: this worker did not do its work")
    first, last = median(samples[:_AT_AN_END]), median(samples[-_AT_AN_END:])
    minutes = sizes.memory_seconds / 60
    figures = {"growth": last / first, "peak_mib": peak, "minutes": minutes, "exported": exported}
    checks = [
        Check(
            what=f"memory of a worker after {minutes:g} minutes over that at their begin",
            value=last / first,
            of=f"{last:.1f} and {first:.1f} MiB, at {rate:,.0f} changes/s of {sizes.memory_profiles:,} profiles",
            at_most=_MOST_GROWTH,
        ),
        Check(what="peak memory of a worker, MiB", value=peak, at_most=_MOST_MIB),
    ]
    return MeasuredPart("memory", figures, checks, {"mib": samples})


def _resident(pid: int, what: str) -> float:
    """MiB: VmRSS is what there is now, VmHWM the most there ever was."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith(f"{what}:"))
    return int(line.split()[1]) / 1024
