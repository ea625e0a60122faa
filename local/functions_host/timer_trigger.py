"""Timer triggers. Schedules are in UTC, as in Azure."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

from azure.functions.timer import TimerRequest

from .errors import HostStartError
from .indexing import IndexedFunction
from .invocation import Invoker
from .ncrontab import ScheduleError, parse_schedule

_log = logging.getLogger(__name__)


class TimerListener:
    """Invokes one function on its schedule, one invocation at a time.

    What falls due while the function runs is made up for once, right after it. The host in Azure keeps the last
    occurrence in storage and so notices what it missed while it was down; this one starts anew.
    """

    def __init__(self, function: IndexedFunction, invoker: Invoker) -> None:
        self._function = function
        self._invoker = invoker
        self._last: datetime | None = None
        try:
            self._schedule = parse_schedule(function.trigger["schedule"])
            self._schedule.next_after(datetime.now(UTC))
        except ScheduleError as error:
            raise HostStartError(f"function {function.name}: its schedule: {error}. Correct the schedule.") from error

    async def run(self, stopping: asyncio.Event) -> None:
        due = datetime.now(UTC)
        if self._function.trigger.get("runOnStartup"):
            await self._invoke(due)
        while True:
            due = self._schedule.next_after(due)
            seconds_left = (due - datetime.now(UTC)).total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), max(0.0, seconds_left))
            if stopping.is_set():
                return
            # Occurrences up to now are one; a sleep that ended early must not count this one twice.
            due = max(due, datetime.now(UTC))
            await self._invoke(due)

    async def _invoke(self, now: datetime) -> None:
        status = {
            "Last": (self._last or datetime.min.replace(tzinfo=UTC)).isoformat(),
            "Next": self._schedule.next_after(now).isoformat(),
            "LastUpdated": (self._last or datetime.min.replace(tzinfo=UTC)).isoformat(),
        }
        monitored = self._function.trigger.get("useMonitor", True)
        self._last = now
        request = TimerRequest(
            past_due=False,
            schedule_status=status if monitored else None,
            schedule={"AdjustForDST": True},
        )
        await self._invoker.invoke(self._function, request)
