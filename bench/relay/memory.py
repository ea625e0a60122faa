"""How much memory a worker takes over time: the app in the Functions host of the local stack, at half its capacity.

It is the resident memory of the whole process, with the host's stand-in in it.
"""

import asyncio
from pathlib import Path
from statistics import median

from bench.backfill.results import Check
from bench.relay.filling import fill
from bench.relay.live_host import PROFILES, live_host
from bench.relay.results import Part
from bench.relay.sizes import Sizes
from bench.relay.stacks import started_stack
from local.errors import LocalError
from local.stack import LocalStack

_SHARE_OF_CAPACITY = 0.5
_SAMPLES = 60
_AT_AN_END = 6
_MOST_GROWTH = 1.05
_MOST_MIB = 200


class NoMemoryFiguresError(LocalError):
    """The system does not say how much memory a process takes; the message says where it does."""


def measure_memory(sizes: Sizes, directory: Path) -> Part:
    """Raises NoMemoryFiguresError."""
    with started_stack(directory) as stack:
        asyncio.run(fill(stack, PROFILES))
        return asyncio.run(_measure(sizes, stack))


async def _measure(sizes: Sizes, stack: LocalStack) -> Part:
    samples: list[float] = []
    async with live_host(stack) as live:
        rate = _SHARE_OF_CAPACITY * await live.capacity(sizes.calibration_changes)
        sending = asyncio.create_task(live.load.steady(rate, sizes.memory_warm_up + sizes.memory_seconds))
        await asyncio.sleep(sizes.memory_warm_up)
        for _ in range(_SAMPLES):
            samples.append(_resident(live.host.pid, "VmRSS"))
            await asyncio.sleep(sizes.memory_seconds / _SAMPLES)
        await sending
        await live.emptied()
        peak = _resident(live.host.pid, "VmHWM")
    first, last = median(samples[:_AT_AN_END]), median(samples[-_AT_AN_END:])
    minutes = sizes.memory_seconds / 60
    checks = [
        Check(
            what=f"memory of a worker after {minutes:g} minutes over that at their begin",
            value=last / first,
            of=f"{last:.1f} and {first:.1f} MiB, at {rate:,.0f} changes/s",
            at_most=_MOST_GROWTH,
        ),
        Check(what="peak memory of a worker, MiB", value=peak, at_most=_MOST_MIB),
    ]
    return Part("memory", {"growth": last / first, "peak_mib": peak, "minutes": minutes}, checks, {"mib": samples})


def _resident(pid: int, what: str) -> float:
    """MiB: VmRSS is what there is now, VmHWM the most there ever was."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError as error:
        raise NoMemoryFiguresError("memory is measured by /proc, which only Linux has: run it there") from error
    line = next(line for line in status.splitlines() if line.startswith(f"{what}:"))
    return int(line.split()[1]) / 1024
