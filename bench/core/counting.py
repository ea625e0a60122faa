"""What counting costs the way of a change, as a share of all that a worker does for it. Run it: make bench-counting

Storage and hubs are the tests' fakes, which take less than the real ones: of those the same cost is a smaller share.
Two workers take the same messages in turns, one that counts and one that does not; it is CPU time that is compared.
"""

import asyncio
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from shared.bootstrap import clock
from shared.domain.instants import format_instant
from shared.services.changes.export import InboundMessage
from shared.services.wiring import Services
from tests.kit.builders import configuration, destination
from tests.kit.world import World

ROUNDS = 60
MESSAGES = 40
CHANGES = 20
PROFILES = 400
DESTINATIONS = 4
LIMIT = 0.03
_COUNTING = ("received", "excluded", "acknowledged", "failed", "retried", "dead", "parked")


def new_worker(*, counting: bool) -> tuple[World, Services]:
    """A worker with its storage; three of its destinations hear of each change, and one is asked in vain."""
    names = [f"d{number}" for number in range(DESTINATIONS)]
    document = {
        "destinations": [destination(name) for name in names],
        "dataflows": [
            {"id": name, "audiences": ["a" if name != "d0" else "b"], "attributes": ["/loyalty", "/person"]}
            for name in names
        ],
    }
    world = World()
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    worker = world.new_worker(clock=clock)
    if not counting:
        for name in _COUNTING:
            setattr(worker.runs, name, lambda *_arguments, **_named: None)
    return world, worker


def messages(first: int) -> Iterator[InboundMessage]:
    """As an upstream system sends them: every change writes attributes, and brings or takes an audience."""
    numbers = count(first)
    for message in range(MESSAGES):
        changes: list[dict[str, Any]] = []
        for _ in range(CHANGES):
            number = next(numbers)
            at = format_instant(clock() - 1_000_000)
            status = "exited" if number // PROFILES % 2 else "realized"
            changes.append(
                {
                    "profileId": f"profile-{number % PROFILES}",
                    "occurredAt": at,
                    "attributes": {"loyalty": {"tier": f"t{number}", "points": number}, "person": {"n": "John Doe"}},
                    "identityMap": {"ecid": [{"id": f"id-{number % PROFILES}"}]},
                    "segmentMembership": {"ups": {"a": {"status": status, "lastQualificationTime": at}}},
                }
            )
        yield InboundMessage(f"m-{first}-{message}", json.dumps(changes).encode(), clock() - 500_000)


async def handle(worker: Services, world: World, batch: list[InboundMessage]) -> float:
    """The CPU seconds that the worker takes for `batch`, saving what it counted included."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    for message in batch:
        await worker.export_changes.handle(message)
    await worker.runs.flush()
    seconds = time.process_time() - began
    gc.enable()
    world.sender.sent.clear()
    world.profiles.saves.clear()
    world.metrics.published.clear()
    return seconds


async def measure() -> tuple[list[float], list[float]]:
    """The CPU seconds of each round with counting and without."""
    workers = {counting: new_worker(counting=counting) for counting in (True, False)}
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for number in range(-2, ROUNDS):  # the first ones warm up
        batch = list(messages((number + 2) * MESSAGES * CHANGES))
        for counting in (True, False) if number % 2 else (False, True):
            world, worker = workers[counting]
            taken = await handle(worker, world, batch)
            if number >= 0:
                seconds[counting].append(taken)
    saved = [len(world.runs.rows) for world, _ in workers.values()]
    if not saved[0] or saved[1]:
        raise AssertionError(f"expected one worker to count and the other not to, got {saved} rows")
    return seconds[True], seconds[False]


def main() -> int:
    counting, bare = asyncio.run(measure())
    changes = MESSAGES * CHANGES
    cost = statistics.median(one / other for one, other in zip(counting, bare, strict=True)) - 1
    quarters = statistics.quantiles([one / other - 1 for one, other in zip(counting, bare, strict=True)])
    where = f"Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    for name, seconds in (("with counting", counting), ("without", bare)):
        print(
            f"{name:14} {statistics.median(seconds) / changes * 1e6:7.1f} µs a change   (median of {ROUNDS}; {where})"
        )
    print(
        f"counting costs {cost:7.2%}, half of the rounds {quarters[0]:.2%} to {quarters[2]:.2%}   (at most {LIMIT:.0%})"
    )
    return 0 if cost < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
