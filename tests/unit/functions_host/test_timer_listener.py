"""What the traces of timers do not tell."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import InvocationResult
from local.functions_host.storage.listener_lock import ListenerLock, ListenerLockLostError
from local.functions_host.storage.timer_status import BlobTimerStatus, TimerStatus
from local.functions_host.timer_trigger import TimerListener
from tests.kit.host_storage import FakeBlobs, FakeStorage, Fault
from tests.kit.virtual_time import run_virtually


class Timer:
    """A listener on a storage of its own; its first run takes `first_run_seconds`, the others none."""

    def __init__(self, schedule: str, first_run_seconds: float = 0.0, *faults: Fault) -> None:
        self.storage = FakeStorage(faults, has_container=True)
        self.runs: list[tuple[float, bool]] = []
        self._first_run_seconds = first_run_seconds
        self.status = BlobTimerStatus(FakeBlobs(self.storage), "timers/tick")
        trigger = {"type": "timerTrigger", "schedule": schedule}
        self.listener = TimerListener(
            IndexedFunction("tick", Path(), lambda: None, trigger, (), takes_context=False),
            self,
            ListenerLock(FakeBlobs(self.storage), "locks/tick", 60),
            self.status,
            60.0,
            self.storage.now,
        )

    async def invoke(self, function: IndexedFunction, trigger_value: Any) -> InvocationResult:
        self.runs.append((round(asyncio.get_running_loop().time()), trigger_value.past_due))
        await asyncio.sleep(0.0 if len(self.runs) > 1 else self._first_run_seconds)
        return InvocationResult(succeeded=True)

    async def run(self, seconds: float) -> None:
        stopping = asyncio.Event()
        await self.listener.start()
        asyncio.get_running_loop().call_later(seconds, stopping.set)
        await self.listener.run(stopping)


def test_all_that_falls_due_while_it_runs_is_made_up_for_once() -> None:
    async def main() -> list[tuple[float, bool]]:
        timer = Timer("*/5 * * * * *", 17.0)
        await timer.run(32.0)
        return timer.runs

    assert run_virtually(main) == [(5, False), (22, False), (25, False), (30, False)]


def test_a_new_schedule_has_missed_nothing() -> None:
    async def main(schedule: str) -> list[tuple[float, bool]]:
        timer = Timer(schedule)
        await timer.status.write(
            TimerStatus(next=timer.storage.at(-600), last=timer.storage.at(-3_600), updated=timer.storage.at(-3_600))
        )
        await timer.run(1.0)
        return timer.runs

    assert run_virtually(lambda: main("0 50 * * * *")) == [(0, True)]
    assert run_virtually(lambda: main("0 40 * * * *")) == []


def test_who_cannot_renew_the_lock_ends() -> None:
    async def main() -> float:
        timer = Timer("*/5 * * * * *", 0.0, Fault("Lease-renew", "drop", start=70.0))
        with pytest.raises(ListenerLockLostError, match="AzureWebJobsStorage"):
            await timer.run(600.0)
        assert timer.runs[-1][0] > 100
        return asyncio.get_running_loop().time()

    assert 105.0 < run_virtually(main) < 125.0


def test_a_lock_that_a_busy_storage_does_not_renew_is_kept() -> None:
    async def main() -> list[tuple[float, bool]]:
        busy = Fault("Lease-renew", "status", start=70.0, end=500.0, status=503, code="ServerBusy")
        timer = Timer("0 * * * * *", 0.0, busy)
        await timer.run(600.0)
        return timer.runs

    assert len(run_virtually(main)) == 10


def test_without_storage_at_the_start_the_lock_is_tried_for_later() -> None:
    async def main() -> list[tuple[float, bool]]:
        timer = Timer("*/30 * * * * *", 0.0, Fault("Lease-acquire", "drop", end=60.0))
        await timer.run(200.0)
        return timer.runs

    runs = run_virtually(main)
    assert runs[0][0] in (90, 120)
    assert timedelta(seconds=runs[1][0] - runs[0][0]) == timedelta(seconds=30)
