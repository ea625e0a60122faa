"""Storage is out for as long as it likes: the queue listener as it is, and as it was before Storage.Queues 5.3.10.

The stand-in that keeps to the recorded traces, with the app's own host.json, under a virtual clock.
"""

import asyncio
import inspect
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.host_json import read_host_json
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import InvocationResult
from local.functions_host.queues.trigger import ListenerOptions, QueueListener, poison_queue_name
from local.functions_host.storage.host_queue import HostQueue
from shared.domain.instants import SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import RelayError, StorageError
from shared.ports.poison import PoisonMessage
from shared.services.changes.export import InboundMessage
from tests.kit.builders import NOW, item, membership
from tests.kit.environments import CHECKOUT
from tests.kit.fakes.clock import ManualClock
from tests.kit.host_storage import FakeQueue, FakeStorage
from tests.kit.virtual_time import run_virtually
from tests.kit.world import World

QUEUE = "profile-changes"
POISON = f"{QUEUE}-poison"
MINUTE, HOUR = 60.0, 3_600.0
EXTENSIONS = pytest.mark.parametrize("older", [False, True], ids=["5.3.10", "before it"])
_EPOCH = datetime.fromtimestamp(NOW / SECOND, UTC)
STORES = ("profiles", "members", "configuration", "quarantine", "undelivered", "health", "poison_rounds")


class LoopClock(ManualClock):
    def __call__(self) -> int:
        return self.now + int(asyncio.get_running_loop().time() * SECOND)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Away:
    """A store whose every request fails while `is_away`."""

    def __init__(self, store: Any, is_away: Callable[[], bool]) -> None:
        self._store = store
        self._is_away = is_away

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if inspect.iscoroutinefunction(found) and self._is_away():
            return self._fail
        return found

    @staticmethod
    async def _fail(*_: object) -> Any:
        raise StorageError("no answer")


class HostPoison:
    """PoisonQueues on the host's storage."""

    def __init__(self, storage: FakeStorage) -> None:
        self._storage = storage
        self._poison = FakeQueue(storage, POISON)

    async def take(self, kind: QueueKind) -> list[PoisonMessage]:
        if kind != QueueKind.CHANGES or POISON not in self._storage.queues:
            return []
        return [
            PoisonMessage(kind, each.id, each.text.encode(), 0, _instant(each.expires_on), receipt=each.pop_receipt)
            for each in await self._poison.get(32, 120)
        ]

    async def put_back(self, message: PoisonMessage) -> None:
        self._storage.put(QUEUE, message.body.decode(), lifetime=None)

    async def delete(self, message: PoisonMessage) -> None:
        await self._poison.delete(message.id, message.receipt)


class App:
    """Its queue trigger and its timer, over a world whose tables can be away."""

    def __init__(self, *, older_extension: bool) -> None:
        self.world = World()
        self.storage = FakeStorage(epoch=_EPOCH)
        self.storage.queues[QUEUE] = []
        self.away = False
        self.always_fails = b"nothing"
        self.tries: dict[bytes, int] = {}
        stores = {name: Away(getattr(self.world, name), lambda: self.away) for name in STORES}
        self._worker = self.world.new_worker(**stores, poison_queues=HostPoison(self.storage))
        uniform = random.Random(7).uniform
        queues = read_host_json(CHECKOUT / "host.json").queues

        def host_queue(name: str) -> HostQueue:
            return HostQueue(FakeQueue(self.storage, name), queues.encoding, asyncio.Event(), uniform)

        self._listener = QueueListener(
            IndexedFunction("export_profile_changes", Path(), lambda: None, {"type": "queueTrigger"}, (), False),
            self,
            host_queue(QUEUE),
            host_queue(poison_queue_name(QUEUE) or ""),
            queues,
            ListenerOptions(older_extension=older_extension, uniform=uniform),
        )

    async def invoke(self, _: IndexedFunction, message: Any) -> InvocationResult:
        body = message.get_body()
        self.tries[body] = self.tries.get(body, 0) + 1
        try:
            if self.always_fails in body:
                raise IndexError
            await self._worker.export_changes.handle(InboundMessage(message.id, body, self.world.clock()))
        except (RelayError, IndexError):
            return InvocationResult(succeeded=False)
        return InvocationResult(succeeded=True)

    async def run_for(self, seconds: float) -> None:
        stopping = asyncio.Event()
        listening = asyncio.create_task(self._listener.run(stopping))
        timer = asyncio.create_task(self._drain())
        await asyncio.sleep(seconds)
        timer.cancel()
        stopping.set()
        await listening

    async def _drain(self) -> None:
        while True:
            await asyncio.sleep(30)
            await self._worker.drain_poison_queues.run()

    def waiting(self) -> list[str]:
        return [f"{name}: {each.text}" for name, messages in self.storage.queues.items() for each in messages]

    def told(self) -> set[str]:
        return {export.profile_id for export in self.world.sender.sent}


@pytest.fixture(autouse=True)
def loops_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.kit.world.ManualClock", LoopClock)


@EXTENSIONS
@pytest.mark.parametrize("outage", [5 * MINUTE, 10 * HOUR], ids=["five minutes", "ten hours"])
def test_an_outage_heals_by_itself(older: bool, outage: float) -> None:
    async def play() -> App:
        app = App(older_extension=older)
        for number in range(4):
            app.storage.put(QUEUE, json.dumps(item(f"p{number}", 1, segmentMembership=membership(1))))
        app.away = True
        await app.run_for(outage)
        assert app.told() == set()
        app.away = False
        await app.run_for(5 * MINUTE)
        return app

    app = run_virtually(play)
    assert app.told() == {f"p{number}" for number in range(4)}
    assert app.waiting() == []
    assert app.world.quarantine.items == {}
    went_there = POISON in app.storage.queues
    assert went_there == (outage > 1.25 * HOUR)


@EXTENSIONS
def test_what_always_fails_is_in_quarantine_in_the_end_and_keeps_nobody(older: bool) -> None:
    async def play() -> App:
        app = App(older_extension=older)
        app.always_fails = b'"bad"'
        app.storage.put(QUEUE, json.dumps(item("bad", 1)))
        await app.run_for(4 * HOUR)
        assert app.world.quarantine.items == {}
        app.storage.put(QUEUE, json.dumps(item("good", 1, segmentMembership=membership(1))))
        await app.run_for(1.5 * HOUR)
        return app

    app = run_virtually(play)
    assert app.told() == {"good"}
    assert app.waiting() == []
    (kept,) = app.world.quarantine.items.values()
    assert (kept.profile_id, kept.code) == ("bad", "gave-up")
    assert max(app.tries.values()) == 4 * 150


def _instant(moment: Any) -> int:
    return int(moment.timestamp() * SECOND)
