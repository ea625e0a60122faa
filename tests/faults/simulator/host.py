"""Who hands messages to workers and runs the timers: one run of each at a time, on one of the workers."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

from shared.errors import ConflictError
from shared.services.wiring import Services
from tests.faults.simulator.queues import SimulatedQueues
from tests.faults.simulator.tables import BACKFILL, WATCH
from tests.faults.simulator.trace import Trace
from tests.faults.simulator.worker import Run, Worker

_POLLED_AGAIN = 0.5
_POLLED_WITHIN = (0.02, 0.02, 0.3, 2.0)
"""A queue is polled more seldom the longer it was empty."""


async def watch(services: Services) -> None:
    """As the trigger of `watch_destinations`, as far as exports hang on it."""
    outcome = await services.watch_destinations.run()
    await services.runs.flush()
    if outcome.failed:
        raise next(iter(outcome.failed.values()))


async def backfill(services: Services) -> None:
    """As the trigger of `run_backfill`."""
    with suppress(ConflictError):
        await services.turn_schedules.run()
    await services.plan_backfills.run()


async def sweep(services: Services) -> None:
    await services.plan_backfills.sweep()


class Host:
    def __init__(self, workers: Sequence[Worker], queues: SimulatedQueues, rng: random.Random, trace: Trace) -> None:
        self._workers = workers
        self._queues = queues
        self._rng = rng
        self._trace = trace
        self._running: dict[str, asyncio.Task[None]] = {}
        queues.visible = self._poll_soon
        self._every(30.0, WATCH, watch)
        self._every(60.0, BACKFILL, backfill)

    def _poll_soon(self, queue: str, message_id: str) -> None:
        within = self._rng.choice(_POLLED_WITHIN)
        asyncio.get_running_loop().call_later(self._rng.uniform(0.0, within), self._hand_out, queue, message_id)

    def _hand_out(self, queue: str, message_id: str) -> None:
        if not self._queues.can_be_taken(queue, message_id):
            return
        free = [worker for worker in self._workers if worker.has_room(queue)]
        if not free:
            asyncio.get_running_loop().call_later(_POLLED_AGAIN, self._hand_out, queue, message_id)
            return
        worker = self._rng.choice(free)
        taken = self._queues.take_one(queue, message_id)
        if taken is not None:
            self._trace.say(worker.life.name, f"takes {queue} {message_id}, delivery {taken.deliveries}")
            worker.take(taken)

    def _every(self, seconds: float, timer: str, run: Run) -> None:
        self.begin(timer, run)
        asyncio.get_running_loop().call_later(seconds, self._every, seconds, timer, run)

    def begin(self, timer: str, run: Run) -> None:
        """Run it now, unless it runs or nobody is there to do so."""
        running = self._running.get(timer)
        alive = [worker for worker in self._workers if worker.alive]
        if alive and (running is None or running.done()):
            worker = self._rng.choice(alive)
            self._trace.say(worker.life.name, f"runs {timer}")
            self._running[timer] = worker.run(timer, run)
