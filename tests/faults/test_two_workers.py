"""Two workers on one profile: whatever the order of their requests, one body for each version and nothing lost."""

import asyncio
import itertools
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import pytest

from shared.domain.instants import MINUTE
from shared.services.changes.export import InboundMessage
from tests.faults.simulation import Simulation
from tests.kit.builders import NOW, item, membership

QUALIFIES = {"segmentMembership": membership(1)}
STEPS = 8


class Turnstile:
    """Lets one worker at a time make its next request of storage."""

    def __init__(self) -> None:
        self._at_the_gate: dict[int, asyncio.Future[None]] = {}

    def wrap(self, adapter: Any, worker: int) -> Any:
        turnstile = self

        class Gated:
            def __getattr__(self, name: str) -> Any:
                method = getattr(adapter, name)

                async def call(*arguments: Any) -> Any:
                    await turnstile._wait(worker)
                    return await method(*arguments)

                return call

        return Gated()

    async def _wait(self, worker: int) -> None:
        self._at_the_gate[worker] = asyncio.get_running_loop().create_future()
        await self._at_the_gate[worker]

    async def run(self, work: list[Coroutine[Any, Any, Any]], order: Iterable[int]) -> None:
        """Run `work` side by side, each request in its turn of `order`; what comes after that, in turns."""
        tasks = [asyncio.ensure_future(each) for each in work]
        for worker in itertools.chain(order, itertools.cycle(range(len(work)))):
            await self._come_to_rest(tasks)
            if all(task.done() for task in tasks):
                break
            if (gate := self._at_the_gate.pop(worker, None)) is not None:
                gate.set_result(None)
        await asyncio.gather(*tasks)

    async def _come_to_rest(self, tasks: Sequence["asyncio.Future[Any]"]) -> None:
        def busy() -> bool:
            return any(not task.done() and worker not in self._at_the_gate for worker, task in enumerate(tasks))

        while busy():  # noqa: ASYNC110 - there is no event for everybody else having had a turn
            await asyncio.sleep(0)


async def two_workers(simulation: Simulation, messages: list[InboundMessage], order: Iterable[int]) -> None:
    turnstile = Turnstile()
    world = simulation.world
    workers = [
        world.new_worker(profiles=turnstile.wrap(world.profiles, number), members=turnstile.wrap(world.members, number))
        for number in range(2)
    ]
    work = [worker.export_changes.handle(message) for worker, message in zip(workers, messages, strict=True)]
    await turnstile.run(work, order)


def message(message_id: str, second: int, **fields: Any) -> InboundMessage:
    simulation = Simulation()
    simulation.enqueue(item("p", second, **fields))
    return InboundMessage(message_id, simulation.queue["m1"], NOW)


PAIRS = {
    "two changes": [message("one", 1, **QUALIFIES), message("other", 2, attributes={"x": 1}, **QUALIFIES)],
    "one change, delivered twice at once": [message("one", 1, **QUALIFIES)] * 2,
    "the same change in two messages": [message("one", 1, **QUALIFIES), message("other", 1, **QUALIFIES)],
    "entered and left": [
        message("one", 1, **QUALIFIES),
        message("other", 2, segmentMembership=membership(2, "exited")),
    ],
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("known", [False, True], ids=["a new profile", "a known one"])
async def test_every_interleaving(pair: str, known: bool) -> None:
    final_states = set()
    for order in itertools.product(range(2), repeat=STEPS):
        simulation = Simulation()
        if known:
            simulation.enqueue(item("p", 0, attributes={"x": 0}))
            await simulation.deliver_all()
        await two_workers(simulation, PAIRS[pair], order)
        simulation.check()
        state = simulation.world.profiles.saves[-1]
        final_states.add(str((state.attributes.resolve(), state.memberships)))
        versions = [saved.version for saved in simulation.world.profiles.saves]
        assert versions == sorted(set(versions))
    assert len(final_states) == 1


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_an_hour_off_breaks_no_promise(hours: int) -> None:
    """Workers whose clocks differ take turns on one profile, and in its retries."""
    simulation = Simulation()
    world = simulation.world
    for second in range(1, 10):
        world.clock.now += (hours if second % 2 else -hours) * 60 * MINUTE
        if second == 4:
            world.break_down("d")
        if second == 7:
            world.mend("d")
        simulation.restart()
        simulation.enqueue(item("p", second - 60 * 60 * (hours == -1), **QUALIFIES, attributes={"x": second}))
        await simulation.deliver_all()
        await simulation.retry_all()
    await simulation.settle()
    simulation.check()
    assert world.sender.sent[-1].body.startswith(b'{"x":9')
