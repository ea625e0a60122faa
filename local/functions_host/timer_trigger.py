"""Timer triggers. Schedules are in UTC, as in Azure."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from azure.functions.timer import TimerRequest

from shared.domain.ncrontab import Schedule, ScheduleError, parse_schedule

from .errors import HostStartError
from .indexing import IndexedFunction
from .invocation import Invocations
from .storage.listener_lock import ListenerLock
from .storage.requests import StorageRequestError
from .storage.timer_status import TimerStatus, TimerStatusStore

_log = logging.getLogger(__name__)

_SHORTEST_MONITORED = timedelta(minutes=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


class TimerListener:
    """Invokes one function on its schedule, one invocation at a time, while this instance holds the function's lock.

    What falls due while the function runs is made up for once, right after it. A timer with a status also makes up for
    what it missed while no host ran.
    """

    def __init__(
        self,
        function: IndexedFunction,
        invocations: Invocations,
        lock: ListenerLock | None,
        status_store: TimerStatusStore | None,
        recovery_seconds: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._function = function
        self._invocations = invocations
        self._lock = lock
        self._recovery_seconds = recovery_seconds
        self._now = now
        self._schedule = _schedule_of(function, now())
        self._store = status_store if _is_monitored(function, self._schedule, now()) else None
        self._status = TimerStatus(next=self._schedule.next_after(now()))
        self._began: datetime | None = None

    async def start(self) -> None:
        """Try for the lock, and make up for what was missed; the host is ready once this is over."""
        if await self._locked():
            await self._begin()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set. An invocation under way is not waited for."""
        working = asyncio.create_task(self._work())
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        working.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await working
        finally:
            if self._lock is not None:
                await self._lock.release()

    async def _work(self) -> None:
        while self._began is None:
            await asyncio.sleep(self._recovery_seconds)
            if await self._locked():
                await self._begin()
        tasks = [asyncio.create_task(self._fire(self._began))]
        if self._lock is not None:
            tasks.append(asyncio.create_task(self._lock.hold()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def _locked(self) -> bool:
        if self._lock is None:
            return True
        try:
            return await self._lock.try_acquire()
        except StorageRequestError as error:
            _log.warning("Timer %s waits for its lock: %s", self._function.name, error)
            return False

    async def _begin(self) -> None:
        stored = await self._store.read() if self._store is not None else None
        if stored is not None and stored.missed(self._schedule, self._now()):
            self._status = stored
            await self._invoke(past_due=True)
        else:
            self._status = TimerStatus(next=self._schedule.next_after(self._now()))
            if stored is not None:
                self._status = replace(self._status, last=stored.last, updated=stored.updated)
            elif self._store is not None:
                await self._store.write(replace(self._status, updated=self._now()))
            if self._function.trigger.get("runOnStartup"):
                await self._invoke(past_due=False)
        self._began = self._now()

    async def _fire(self, due: datetime) -> None:
        while True:
            due = self._schedule.next_after(due)
            await asyncio.sleep(max(0.0, (due - self._now()).total_seconds()))
            # Occurrences up to now are one; a sleep that ended early must not count this one twice.
            due = max(due, self._now())
            await self._invoke(past_due=False)

    async def _invoke(self, *, past_due: bool) -> None:
        started = self._now()
        request = TimerRequest(
            past_due=past_due,
            schedule_status=self._status.as_json() if self._store is not None else None,
            schedule={"AdjustForDST": True},
        )
        # A task of its own: a timer that is stopped leaves it alone.
        await asyncio.shield(asyncio.create_task(self._invocations.invoke(self._function, request)))
        self._status = TimerStatus(next=self._schedule.next_after(started), last=started, updated=started)
        if self._store is not None:
            try:
                await self._store.write(self._status)
            except StorageRequestError as error:
                _log.warning("The status of timer %s was not kept: %s", self._function.name, error)


def _schedule_of(function: IndexedFunction, now: datetime) -> Schedule:
    try:
        schedule = parse_schedule(function.trigger["schedule"])
        schedule.next_after(now)
    except ScheduleError as error:
        raise HostStartError(f"function {function.name}: its schedule: {error}. Correct the schedule.") from error
    return schedule


def _is_monitored(function: IndexedFunction, schedule: Schedule, now: datetime) -> bool:
    """A status is kept unless the function does without, or runs more often than once a minute."""
    following = schedule.next_after(now)
    often = schedule.next_after(following) - following < _SHORTEST_MONITORED
    return bool(function.trigger.get("useMonitor", True)) and not often
