"""One seed from its first change to the judge's word: send, break, wait until nothing is left, judge."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.simulator.faults import Faults
from tests.faults.simulator.host import Host
from tests.faults.simulator.hubs import Hubs
from tests.faults.simulator.judging import judged
from tests.faults.simulator.network import Network, at_once
from tests.faults.simulator.queues import CHANGES
from tests.faults.simulator.recipe import Plan, Recipe, plan
from tests.faults.simulator.tables import SETTINGS, Tables
from tests.faults.simulator.trace import Trace
from tests.faults.simulator.worker import Worker
from tests.kit.virtual_time import run_virtually

_LOOKED_EVERY = 1.0
_QUIET = 30.0
"""Seconds without anything to do until a run is over: longer than a request or an event can be under way."""
_CLOSING_TAKES = 5.0
_CONFIGURATION_KNOWN_AFTER = SETTINGS.config_cache_seconds + 1.0
"""Seconds. By then every worker decides by the configuration as it stays: the model knows only that one."""
DEADLINE = 4 * 3_600.0


@dataclass
class Outcome:
    """`failures` say what was lost, unexpected or never done; none means success.

    `duplicates` are counted by cause, `names` those of all parts of the seed's plan. `seconds` of virtual time.
    """

    recipe: Recipe
    failures: list[str] = field(default_factory=list)
    exports: int = 0
    duplicates: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    seconds: float = 0.0


def simulate(recipe: Recipe, trace: Trace | None = None) -> Outcome:
    """Play it from its first change to the judge's word."""
    played = plan(recipe)

    async def main() -> Outcome:
        return await _Run(played, trace or Trace(kept=False)).outcome()

    return run_virtually(main)


class _Run:
    def __init__(self, played: Plan, trace: Trace) -> None:
        self._plan = played
        self._trace = trace
        self._problems: list[str] = []
        self._network = Network(played.recipe.random("network"), played.late, trace)
        self._hubs = Hubs(played.recipe.random("hubs"), played.late, trace)
        self._tables = Tables(self._hubs)
        self._workers = [
            Worker(number, off, self._tables, self._network, self._problems) for number, off in enumerate(played.clocks)
        ]
        self._host = Host(self._workers, self._tables.queues, played.recipe.random("host"), trace)
        self._faults = Faults(self._workers, self._host, self._tables, self._network, played.recipe)

    async def outcome(self) -> Outcome:
        failures = []
        try:
            async with asyncio.timeout(DEADLINE):
                await self._play()
        except TimeoutError:
            failures.append(f"never done: {self._left()}")
        seconds = asyncio.get_running_loop().time()
        for worker in self._workers:
            worker.life.end()
        failures += self._problems
        failures += judged(self._plan, self._tables)
        return Outcome(
            recipe=self._plan.recipe,
            failures=failures,
            exports=len(self._hubs.stored),
            duplicates=self._hubs.duplicates,
            changes=len(self._plan.changes.all),
            seconds=seconds,
        )

    async def _play(self) -> None:
        faults, played = self._faults, self._plan
        faults.begin(fault for fault in played.faults if not fault.late)
        for at, message in played.load:
            await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
            await self._send(message.text)
        await self._handled()
        await faults.over()
        await asyncio.sleep(_CONFIGURATION_KNOWN_AFTER)
        await self._handled()
        faults.begin(fault for fault in played.faults if fault.late)
        for message in played.closing:
            await self._send(message.text)
            await asyncio.sleep(_CLOSING_TAKES / len(played.closing))
        await faults.over()
        await self._drained()

    async def _send(self, text: str) -> None:
        self._trace.say("upstream", "puts a message of changes")
        await self._tables.queues.put(CHANGES, text)

    async def _handled(self) -> None:
        while self._tables.queues.count(CHANGES):  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(_LOOKED_EVERY)

    async def _drained(self) -> None:
        quiet_for = 0.0
        while quiet_for < _QUIET:
            await asyncio.sleep(_LOOKED_EVERY)
            quiet_for = 0.0 if self._left() else quiet_for + _LOOKED_EVERY

    def _left(self) -> str:
        """What is still to be done, "" if nothing is."""
        world, queues = self._tables.world, self._tables.queues
        requested = at_once(world.configuration.load()).configuration.requested_backfills
        left = {
            "messages": queues.at_work,
            "undelivered": sum(key[0] not in self._plan.dead for key in world.undelivered.rows),
            "backfills requested": sum(each.destination not in self._plan.dead for each in requested),
            "backfills": sum(
                not stored.backfill.finished and stored.backfill.destination_id not in self._plan.dead
                for stored in world.backfills.rows.values()
            ),
            "sends under way": self._hubs.under_way,
            "in hand": sum(len(worker.in_hand) for worker in self._workers),
        }
        return ", ".join(f"{count} {what}" for what, count in left.items() if count)
