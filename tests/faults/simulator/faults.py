"""Lets the faults of a plan happen at their time, and people do what they do meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from shared.domain.configuration.model import parse_configuration_file
from shared.services.configuration.apply import apply_configuration
from tests.faults.load.configuration import closing, configuration
from tests.faults.simulator.host import Host, sweep
from tests.faults.simulator.network import Network
from tests.faults.simulator.recipe import ALL, Fault, Kind, Recipe
from tests.faults.simulator.tables import Tables
from tests.faults.simulator.worker import Worker

_WORK_TAKES, _LATE_WORK_TAKES = 30.0, 150.0
"""Seconds for which a worker that is to die at its work may have none: late ones may wait for backfills."""
_OF_STORAGE = {Kind.STORAGE_ERRORS, Kind.STORAGE_DOWN, Kind.STORAGE_SLOW}
_OF_HUBS = {Kind.HUB_DOWN, Kind.HUB_DEAD, Kind.HUB_SILENT, Kind.HUB_THROTTLES, Kind.REPLIES_LOST}


def document(paused: Iterable[str], unmapped: Iterable[str]) -> dict[str, Any]:
    """The load's configuration, with dataflows paused or mapping nothing but their audience for closing changes."""
    whole = configuration()
    dataflows = []
    for dataflow in whole["dataflows"]:
        name = dataflow["id"]
        audiences = [each for each in dataflow["audiences"] if each["id"] == closing(name) or not _in(name, unmapped)]
        dataflows.append({**dataflow, "audiences": audiences, "enabled": not _in(name, paused)})
    return whole | {"dataflows": dataflows}


def _in(destination: str, targets: Iterable[str]) -> bool:
    return not {destination, ALL}.isdisjoint(targets)


class Faults:
    def __init__(self, workers: list[Worker], host: Host, tables: Tables, network: Network, recipe: Recipe) -> None:
        self._workers = workers
        self._host = host
        self._tables = tables
        self._network = network
        self._recipe = recipe
        self._rng = recipe.random("faults")
        self._paused: dict[str, str] = {}
        self._unmapped: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, faults: Iterable[Fault]) -> None:
        self._tasks += [asyncio.create_task(self._happen(fault)) for fault in faults]

    async def over(self) -> None:
        """Return when all are that have begun."""
        await asyncio.gather(*self._tasks)

    async def apply(self) -> None:
        """Save the configuration as it is to be now, as a person does: again until it is done."""
        wanted = parse_configuration_file(document(self._paused.values(), self._unmapped.values()))
        world = self._tables.world
        await apply_configuration(world.configuration, world.health, wanted, self._tables.clock)

    async def _happen(self, fault: Fault) -> None:
        if fault.at:
            await asyncio.sleep(fault.at)
        self._tables.hubs.trace.say("fault", f"begins: {fault}")
        await self._handler(fault.kind)(fault)
        self._tables.hubs.trace.say("fault", f"is over: {fault.name}")

    def _handler(self, kind: Kind) -> Callable[[Fault], Coroutine[Any, Any, None]]:
        if kind in _OF_STORAGE:
            return lambda fault: self._lasts(fault, self._network.faults)
        if kind in _OF_HUBS:
            return lambda fault: self._lasts(fault, self._tables.hubs.faults)
        return {
            Kind.KILL: self._kill,
            Kind.STOP: self._stop,
            Kind.LEASE_LOST: self._lose_lease,
            Kind.PAUSED: lambda fault: self._configured(fault, self._paused),
            Kind.UNMAPPED: lambda fault: self._configured(fault, self._unmapped),
            Kind.REDRIVE: self._redrive,
            Kind.SWEEP: self._sweep,
        }[kind]

    @staticmethod
    async def _lasts(fault: Fault, faults: dict[str, Fault]) -> None:
        faults[fault.name] = fault
        if fault.kind is not Kind.HUB_DEAD:
            await asyncio.sleep(fault.seconds)
            del faults[fault.name]

    async def _kill(self, fault: Fault) -> None:
        """In the midst of its work, however much of it there is, and a new start."""
        worker = self._workers[int(fault.target)]
        life = worker.life
        if life.over or life.steps_left is not None:
            return  # somebody else kills it
        life.during = fault.during
        life.steps_left = self._rng.randint(1, fault.steps) if self._recipe.luck else fault.steps
        with suppress(TimeoutError):
            await asyncio.wait_for(life.ended.wait(), _LATE_WORK_TAKES if fault.late else _WORK_TAKES)
        if life.steps_left > 0:
            life.steps_left = None
            return
        await life.ended.wait()
        self._tables.hubs.trace.say(life.name, "is dead")
        await asyncio.sleep(fault.seconds)
        worker.start()

    async def _stop(self, fault: Fault) -> None:
        """A worker that is told to has others take over what it has in hand, and is ended then."""
        worker = self._workers[int(fault.target)]
        if worker.alive:
            await worker.do("letting go", lambda services: services.hold_messages.let_go())
            await self._kill(fault)

    async def _lose_lease(self, fault: Fault) -> None:
        """Of each message that some worker has in hand."""
        for worker in self._workers:
            if worker.alive:
                for taken in list(worker.in_hand.values()):
                    if self._rng.random() < fault.share:
                        self._tables.queues.show(taken.message)

    async def _configured(self, fault: Fault, those: dict[str, str]) -> None:
        those[fault.name] = fault.target
        await self.apply()
        await asyncio.sleep(fault.seconds)
        del those[fault.name]
        await self.apply()

    async def _redrive(self, fault: Fault) -> None:
        alive = [worker for worker in self._workers if worker.alive]
        for worker in alive[:1]:
            await worker.do("asking", lambda services: services.watch_destinations.request_redrive(fault.target))

    async def _sweep(self, fault: Fault) -> None:
        self._host.begin("sweep_profiles", sweep)
