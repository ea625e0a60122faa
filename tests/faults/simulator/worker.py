"""A worker process under its host: the services as the triggers call them, with a memory and a clock of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

from shared.adapters.queues.in_hand import QUEUE as NOTES
from shared.adapters.queues.in_hand import decode_note
from shared.adapters.queues.pointers import RETRIES, SLICES
from shared.domain.instants import SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import RelayError, StorageError
from shared.services.changes.export import InboundMessage
from shared.services.in_hand.hold import LOOK_SECONDS
from shared.services.standing_in import StoodIn
from shared.services.wiring import Services
from tests.faults.simulator.hubs import SimulatedSender
from tests.faults.simulator.life import AT_WORK, Invocation, Life
from tests.faults.simulator.network import Network
from tests.faults.simulator.queues import CHANGES, RETRIED, SLICED, ChangesPutter, RetriesPutter, SlicesPutter
from tests.faults.simulator.tables import Tables
from tests.kit.memory_queues import HANDED_OUT_SECONDS, Taken

MOST_IN_HAND = 48
_RELEASED_FOR = 30.0
_LOOKED_EVERY = 0.5
"""Seconds. A look every 50 ms at what is in hand would take most of a run, and see no more."""
_KINDS = {CHANGES: QueueKind.CHANGES, RETRIED: QueueKind.RETRIES, SLICED: QueueKind.SLICES}

Run = Callable[[Services], Coroutine[Any, Any, Any]]


class Worker:
    """`off` by so many seconds is its clock. What a function raises that no host expects goes to `problems`."""

    def __init__(self, number: int, off: float, tables: Tables, network: Network, problems: list[str]) -> None:
        self.number = number
        self.in_hand: dict[Invocation, Taken] = {}
        self._off = int(off * SECOND)
        self._tables = tables
        self._network = network
        self._problems = problems
        self._starts = 0
        self.start()

    def start(self) -> None:
        """As a new process, which remembers nothing."""
        self._starts += 1
        self.in_hand = {}
        self.life = Life(f"worker {self.number}.{self._starts}")
        self.services = self._tables.services(self._wrapped(), clock=self._clock, sleep=self._sleep)

    def _wrapped(self) -> dict[str, Any]:
        tables, life = self._tables, self.life
        queues = tables.queues
        reached = tables.ports | {
            "changes": ChangesPutter(queues),
            "retries": RetriesPutter(queues),
            "slices": SlicesPutter(queues),
            "messages_in_hand": queues,
        }
        wrapped = {name: self._network.wrap(port, name, life) for name, port in reached.items()}
        return wrapped | {"sender": SimulatedSender(tables.hubs, life)}

    @property
    def alive(self) -> bool:
        return not self.life.over

    def _clock(self) -> int:
        return self._tables.clock() + self._off

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(_LOOKED_EVERY if seconds == LOOK_SECONDS else seconds)
        self.life.require()

    def has_room(self, queue: str) -> bool:
        return self.alive and sum(taken.message.queue == queue for taken in self.in_hand.values()) < MOST_IN_HAND

    def run(self, timer: str, run: Run) -> "asyncio.Task[None]":
        """Begin a run of the timer, which fails where storage does."""

        async def noted(services: Services) -> None:
            with suppress(StorageError):
                await services.timers.ran(timer)
            await run(services)

        return self.life.begin(self._do(timer, noted))

    async def do(self, what: str, run: Run) -> None:
        """Return when it is done, or failed where storage did, or the worker is dead."""
        await asyncio.wait({self.life.begin(self._do(what, run))})

    async def _do(self, what: str, run: Run) -> None:
        AT_WORK.set(Invocation(what))
        try:
            await run(self.services)
        except RelayError:
            return
        except Exception as error:
            self._problems.append(f"{what} failed with {error!r}")

    def take(self, taken: Taken) -> None:
        """Begin to handle a message that was handed out."""
        self.life.begin(self._take(taken))

    async def _take(self, taken: Taken) -> None:
        """As the host does: deleted once it is handled, released where that failed, its lease renewed meanwhile."""
        invocation = Invocation(_function_of(taken), taken.message.id, taken.deliveries)
        AT_WORK.set(invocation)
        queues, life, in_hand = self._tables.queues, self.life, self.in_hand
        in_hand[invocation] = taken
        renewal = asyncio.get_running_loop().call_later(HANDED_OUT_SECONDS / 2, self._renew, invocation)
        handled = False
        try:
            await self._handle(taken)
            handled = True
        except RelayError:
            pass
        except Exception as error:
            self._problems.append(f"{invocation} failed with {error!r}")
        finally:
            renewal.cancel()
            message = in_hand.pop(invocation).message
        with suppress(StorageError):  # its lease ends by itself
            if handled:
                await self._network.request(life, "host.delete", queues.settle, (message,))
            else:
                await self._network.request(life, "host.release", queues.hide, (message, _RELEASED_FOR))

    def _renew(self, invocation: Invocation) -> None:
        taken = self.in_hand.get(invocation)
        if taken is not None and self.alive:
            self.in_hand[invocation] = replace(taken, message=self._tables.queues.renewed(taken.message))

    async def _handle(self, taken: Taken) -> None:
        services, message = self.services, taken.message
        if message.queue == NOTES:
            await services.hold_messages.give_back(decode_note(taken.text.encode()))
            return
        holding = services.hold_messages.holding(_KINDS[message.queue], message.id, message.receipt, taken.deliveries)
        async with holding:
            if message.queue == CHANGES:
                inbound = InboundMessage(message.id, taken.text.encode(), taken.put_at)
                await services.export_changes.handle(inbound)
            elif message.queue == RETRIED:
                await services.retry_export.handle(RETRIES.decode(taken.text.encode()))
            else:
                await services.work_slices.work(SLICES.decode(taken.text.encode()))
            with suppress(RelayError):
                await services.stand_in.look(StoodIn())


def _function_of(taken: Taken) -> str:
    if taken.message.queue == RETRIED:
        return "settling" if RETRIES.decode(taken.text.encode()).settles else "retries"
    return {CHANGES: "changes", SLICED: "slices", NOTES: "notes"}[taken.message.queue]
