"""Workers side by side in virtual time: storage answers late, events arrive late, and workers die in between."""

import asyncio
import inspect
import json
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import RetryPointer
from shared.errors import FailureCode, SendError
from shared.ports.exports import Acknowledgement
from shared.services.changes.export import InboundMessage
from shared.services.wiring import Services
from tests.kit.builders import NOW
from tests.kit.world import World

Work: TypeAlias = Callable[[Services], Coroutine[Any, Any, Any]]
WORKERS = 3
_COMES_AGAIN = 3.0
_TOLD_SLOW = 2.5
_LONGEST = 30.0
_LATE_BY = 0.05
"""What a worker had handed to the network when it died arrives within that, or never."""


class SlowHub:
    """`stored` is the partition. `calm`: nothing takes longer than it usually does, and nothing fails.

    `arrival`: after how many seconds the events of a worker arrive, where a test says so.
    """

    def __init__(self, seed: int, *, calm: bool = False) -> None:
        self.world = World(settle=True)
        self.stored: list[Export] = []
        self.rng = random.Random(seed)
        self.arrival: dict[int, float] = {}
        self._calm = calm
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = [_Worker(self, number) for number in range(WORKERS)]

    @staticmethod
    def clock() -> int:
        return NOW + int(asyncio.get_running_loop().time() * SECOND)

    def takes(self) -> float:
        """Seconds that something takes: milliseconds as a rule."""
        usual = self.rng.uniform(0.001, 0.02)
        return usual if self._calm or self.rng.random() < 0.7 else self.rng.choice((0.2, 0.3, 0.4, 0.7, 2.0))

    def fails(self) -> bool:
        return not self._calm and self.rng.random() < 0.1

    async def put(self, pointer: RetryPointer, delay: float) -> None:
        """As the queue of retries: any worker gets the pointer."""
        self._begin(self._handled(lambda services: services.retry_export.handle(pointer), after=delay))

    def send(self, message_id: str, *items: dict[str, Any], worker: int) -> None:
        """Let a worker handle a message; if it dies meanwhile, the message comes again to whichever."""
        message = InboundMessage(message_id, json.dumps(items).encode(), NOW)
        self._begin(self._handled(lambda services: services.export_changes.handle(message), worker))

    async def _handled(self, work: Work, worker: int | None = None, *, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        first = self.rng.choice(self._workers) if worker is None else self._workers[worker]
        while not await first.does(work):
            await asyncio.sleep(_COMES_AGAIN)
            first = self.rng.choice(self._workers)

    def kill(self, worker: int) -> None:
        """And start another in its place."""
        self._workers[worker].die()
        self._workers[worker] = _Worker(self, worker)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

    async def settled(self) -> None:
        """Return when nothing is under way any more, on no queue either, and nothing is undelivered."""
        await self._quiet()
        while self.world.undelivered.rows:
            await asyncio.sleep(60)
            await self._workers[0].services.watch_destinations.run()
            await self._quiet()

    async def _quiet(self) -> None:
        while self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._tasks -= done
            for task in done:
                task.result()
        await asyncio.sleep(_LONGEST)

    def out_of_order(self) -> list[tuple[str, str]]:
        """The (destination, profile) whose last event is not the greatest version."""
        last, greatest = dict[tuple[str, str], Export](), dict[tuple[str, str], Export]()
        for export in self.stored:
            pair = export.destination.id, export.profile_id
            last[pair] = export
            greatest[pair] = max(export, greatest.get(pair, export), key=lambda each: each.version)
        return [pair for pair in last if last[pair].version < greatest[pair].version]


class _Worker:
    def __init__(self, hub: SlowHub, number: int) -> None:
        self._sender = _Sender(hub, number)
        self._works: set[asyncio.Future[Any]] = set()
        self.services = hub.world.new_worker(
            clock=hub.clock,
            sleep=asyncio.sleep,
            profiles=_Late(hub.world.profiles, hub),
            undelivered=_Late(hub.world.undelivered, hub),
            retries=hub,
            sender=self._sender,
        )

    async def does(self, work: Work) -> bool:
        """Whether it came to an end before the worker did."""
        task = asyncio.ensure_future(work(self.services))
        self._works.add(task)
        await asyncio.wait({task})
        if task.cancelled():
            return False
        task.result()
        return True

    def die(self) -> None:
        self._sender.die()
        for task in self._works:
            task.cancel()


class _Sender:
    """A worker's way to the hub: one event after the other, each when the one before is acknowledged."""

    def __init__(self, hub: SlowHub, worker: int) -> None:
        self._hub = hub
        self._worker = worker
        self._free_at = 0.0
        self._dies_at: float | None = None

    def die(self) -> None:
        self._dies_at = asyncio.get_running_loop().time() + _LATE_BY

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        loop, hub = asyncio.get_running_loop(), self._hub
        acknowledged: asyncio.Future[Acknowledgement] = loop.create_future()
        began = loop.time()
        arrives_at = max(self._free_at, began) + hub.arrival.get(self._worker, hub.takes())
        answers_at = self._free_at = arrives_at + hub.takes()
        fails = hub.fails()
        told_at = min(answers_at, began + _TOLD_SLOW)

        def arrive() -> None:
            if self._dies_at is None or loop.time() <= self._dies_at:
                hub.stored.append(export)

        def tell() -> None:
            if acknowledged.done():
                return
            if fails or told_at < answers_at:  # stored it is, or will be, all the same
                acknowledged.set_exception(SendError(export.destination.id, "no answer", FailureCode.TIMEOUT, "0"))
            else:
                acknowledged.set_result(Acknowledgement("0"))

        loop.call_at(arrives_at, arrive)
        loop.call_at(told_at, tell)
        return acknowledged

    def flush(self) -> None:
        """What was handed over is under way."""

    def partitions(self, _destination: Destination) -> tuple[str, ...]:
        return ("0",)


class _Late:
    """`adapter`, to which requests and from which answers take their time."""

    def __init__(self, adapter: Any, hub: SlowHub) -> None:
        self._adapter = adapter
        self._hub = hub

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any) -> Any:
            await asyncio.sleep(self._hub.takes())
            result = await method(*arguments)
            await asyncio.sleep(self._hub.takes())
            return result

        return call
