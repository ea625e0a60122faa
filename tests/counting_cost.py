"""What counting takes of a change, in CPU time: `make bench-counting`, about two minutes.

Rounds of 200 changes (70 % attribute, 20 % audience, 10 % identity), which three destinations hear of, over storage and
hubs in memory; by workers that count everything, everything but who enters and leaves audiences, and nothing, in turns.
What counts is the fastest tenth of each one's rounds: others on the machine only ever make a round slower. With real
storage a change takes several times as much.
"""

import argparse
import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from shared.domain.instants import format_instant
from shared.domain.profile.state import ProfileState
from shared.services.changes.export import InboundMessage
from shared.services.runs.record import RecordRuns
from tests.kit.builders import NOW, configuration, destination
from tests.kit.fakes.configuration import MemoryConfiguration
from tests.kit.world import World

CHANGES = 200
PROFILES = 20
ALL, NO_AUDIENCES, NOTHING = "all", "all but audiences", "nothing"
_DESTINATIONS = ("d", "e", "f")
_KINDS = ("attribute",) * 7 + ("audience",) * 2 + ("identity",)


def _ignore(*_arguments: Any, **_named: Any) -> None:
    """In place of what counts."""


def world_that_counts(what: str) -> World:
    world = World()
    file = {
        "destinations": [destination(name) for name in _DESTINATIONS],
        "dataflows": [{"id": name, "audiences": ["a", "b"], "attributes": ["/x"]} for name in _DESTINATIONS],
    }
    world.configuration = MemoryConfiguration(configuration(file).model_copy(update={"requested_backfills": []}))
    world.worker = world.new_worker()
    counting = [name for name in vars(RecordRuns) if not name.startswith("_") and callable(getattr(RecordRuns, name))]
    for name in {ALL: [], NO_AUDIENCES: ["crossed"], NOTHING: [each for each in counting if each != "flush"]}[what]:
        setattr(world.worker.runs, name, _ignore)
    return world


def message(number: int) -> InboundMessage:
    at = format_instant(NOW + number)
    kind = _KINDS[number % len(_KINDS)]
    item: dict[str, Any] = {"profileId": f"p{number % PROFILES}", "occurredAt": at}
    if kind == "attribute":
        item["attributes"] = {"x": number}
    elif kind == "audience":
        status = "realized" if number // PROFILES % 2 else "exited"
        item["segmentMembership"] = {"ups": {"b": {"status": status, "lastQualificationTime": at}}}
    else:
        item["identityMap"] = {"crm": [{"id": f"c{number}"}]}
    return InboundMessage(f"m{number}", json.dumps(item).encode(), NOW)


async def prepared(what: str) -> World:
    """Everybody is in an audience that all map."""
    world = world_that_counts(what)
    for number in range(PROFILES):
        item = {"profileId": f"p{number}", "occurredAt": format_instant(NOW - 10**9), "attributes": {"x": 0}}
        membership = {"ups": {"a": {"status": "realized", "lastQualificationTime": format_instant(NOW - 10**9)}}}
        body = json.dumps(item | {"segmentMembership": membership}).encode()
        await world.worker.export_changes.handle(InboundMessage(f"begin-{number}", body, NOW))
    return world


async def seconds_of(what: str, messages: Sequence[InboundMessage]) -> float:
    """CPU time of all of them, with the saving of what was counted."""
    world = await prepared(what)
    crosses = ProfileState.crosses
    if what != ALL:
        ProfileState.crosses = _ignore  # type: ignore[method-assign]
    gc.collect()
    gc.disable()
    began = time.process_time()
    for each in messages:
        await world.worker.export_changes.handle(each)
    if what != NOTHING:
        await world.worker.runs.flush()
    taken = time.process_time() - began
    gc.enable()
    ProfileState.crosses = crosses  # type: ignore[method-assign]
    return taken


async def measure(rounds: int) -> dict[str, list[float]]:
    messages = [message(number) for number in range(CHANGES)]
    taken: dict[str, list[float]] = {ALL: [], NO_AUDIENCES: [], NOTHING: []}
    for number in range(-1, rounds):
        for what in taken if number % 2 else reversed(taken):
            seconds = await seconds_of(what, messages)
            if number >= 0:
                taken[what].append(seconds)
    return taken


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.counting_cost", description=str(__doc__).partition(":")[0])
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args(arguments)
    taken = asyncio.run(measure(args.rounds))
    fastest = {what: statistics.mean(sorted(seconds)[: max(1, len(seconds) // 10)]) for what, seconds in taken.items()}
    print(f"{fastest[ALL] / CHANGES * 1e6:.0f} µs a change, all counted")
    for what, without in (("counting", NOTHING), ("counting who enters and leaves audiences", NO_AUDIENCES)):
        print(f"{what}: {1 - fastest[without] / fastest[ALL]:.1%} of a change")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
