"""A whole deployment over fakes: queues that deliver again, workers that die at any call, and what must then hold."""

import inspect
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from shared.domain.export import export_of
from shared.domain.state import ProfileState
from shared.domain.targets import Targets
from shared.services.export_changes import InboundMessage
from shared.services.ports import RetryPointer
from tests.unit.builders import NOW, configuration
from tests.unit.world import DOCUMENT, Worker, World

PORTS = ("profiles", "configuration", "quarantine", "sender", "undelivered", "health", "retries")


class Crash(BaseException):
    """The worker dies here."""


class CrashPlan:
    """Counts the calls of every adapter and lets the worker die before or after the one that `at` numbers.

    Each call counts twice: before it is made, and after it was made but before the worker hears of it.
    """

    def __init__(self) -> None:
        self.passed = 0
        self.at: int | None = None
        self.crashed = 0

    def step(self) -> None:
        self.passed += 1
        if self.at is not None and self.passed >= self.at:
            self.at = None
            self.crashed += 1
            raise Crash

    def wrap(self, adapter: Any) -> Any:
        """`adapter`, whose every method is a place to die at: those of the ports, and whatever is added to them."""
        return _Mortal(adapter, self)


class _Mortal:
    def __init__(self, adapter: Any, plan: CrashPlan) -> None:
        self._adapter = adapter
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._adapter, name)
        if not callable(method):
            return method
        if inspect.iscoroutinefunction(method):
            return self._asynchronous(method)
        return self._synchronous(method)

    def _asynchronous(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            self._plan.step()
            result = await method(*arguments)
            self._plan.step()
            return result

        return call

    def _synchronous(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._plan.step()
            result = method(*arguments)
            self._plan.step()
            return result

        return call


class Simulation:
    """`queue` holds the messages that no worker has finished with, by id."""

    def __init__(self) -> None:
        self.world = World()
        self.plan = CrashPlan()
        self.queue: dict[str, bytes] = {}
        self._sent = 0
        for port in PORTS:
            setattr(self.world, f"mortal_{port}", self.plan.wrap(getattr(self.world, port)))
        self.restart()

    def restart(self) -> None:
        """A new worker process, which remembers nothing."""
        immortal = {port: getattr(self.world, port) for port in PORTS}
        for port in PORTS:
            setattr(self.world, port, getattr(self.world, f"mortal_{port}"))
        self.worker = Worker(self.world)
        for port, adapter in immortal.items():
            setattr(self.world, port, adapter)

    def enqueue(self, *items: dict[str, Any]) -> None:
        self._sent += 1
        self.queue[f"m{self._sent}"] = json.dumps(items).encode()

    async def survive(self, work: Callable[[], Any]) -> bool:
        """Whether `work` came to its end; where the worker died in it, a new one is there."""
        try:
            await work()
        except Crash:
            self.restart()
            return False
        return True

    async def deliver(self, message_id: str) -> None:
        """One delivery; the message stays on the queue if the worker dies."""
        message = InboundMessage(message_id, self.queue[message_id], NOW)
        if await self.survive(lambda: self.worker.export_changes.handle(message)):
            del self.queue[message_id]

    async def deliver_all(self) -> None:
        while self.queue:
            await self.deliver(next(iter(self.queue)))

    async def retry_all(self) -> None:
        """Every pointer that waits now, after its delay; one whose worker dies comes again."""
        for pointer, delay in list(self.world.retries.waiting):
            await self.world.clock.sleep(delay)
            if await self.survive(partial(self._retry, pointer)):
                self.world.retries.waiting.remove((pointer, delay))

    async def _retry(self, pointer: RetryPointer) -> None:
        await self.worker.retry_export.handle(pointer)

    async def watch(self, after_seconds: float = 30) -> None:
        await self.world.clock.sleep(after_seconds)
        await self.survive(self.worker.watch.run)

    async def settle(self) -> None:
        """Mend everything and let the queues, the timer and a person do their work until nothing is left to do."""
        self.world.sender.failures.clear()
        for _ in range(40):
            await self.deliver_all()
            await self.retry_all()
            await self.watch()
            for destination_id in {
                row.destination_id for row, _ in self.world.undelivered.rows.values() if row.permanent
            }:
                await self.worker.watch.redrive(destination_id)
            if not (
                self.queue or self.world.retries.waiting or self.world.undelivered.rows or self.world.health.troubles
            ):
                return
        raise AssertionError(
            f"never settled: {self.world.rows}, {self.world.health.troubles}, {self.world.retries.waiting}"
        )

    def check(self) -> None:
        """Nothing lost, nothing unexpected, one body for each version: what was saved as due was exported."""
        due: dict[tuple[str, str], int] = {}
        for saved in self.world.profiles.saves:
            for entry in saved.due.values():
                for destination_id in entry.reasons:
                    key = (destination_id, saved.profile_id)
                    due[key] = max(due.get(key, 0), entry.version)
        latest: dict[tuple[str, str], int] = {}
        bodies: dict[tuple[str, str, int], bytes] = {}
        for export in self.world.sender.sent:
            key = (export.destination.id, export.profile_id)
            assert key in due, f"unexpected: {key}"
            latest[key] = max(latest.get(key, 0), export.version)
            assert bodies.setdefault((*key, export.version), export.body) == export.body, f"two bodies: {key}"
        lost = {key for key, version in due.items() if latest.get(key, 0) < version}
        assert not lost, f"lost: {lost}"
        self._check_bodies(bodies)

    def _check_bodies(self, bodies: dict[tuple[str, str, int], bytes]) -> None:
        targets = Targets.of(configuration(DOCUMENT))
        saved: dict[tuple[str, int], ProfileState] = {}
        for state in self.world.profiles.saves:
            saved[state.profile_id, state.version] = state
        for (destination_id, profile_id, version), body in bodies.items():
            if (shown := saved.get((profile_id, version))) is not None:
                expected = export_of(shown, targets.by_id[destination_id], targets.catalog, ["audience"], NOW)
                assert body == expected.body
