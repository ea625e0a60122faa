"""The timers of the app: by which setting each runs, and since when one is overdue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from shared.domain.instants import MINUTE, SECOND
from shared.domain.ncrontab import ScheduleError, parse_schedule

TIMERS: Mapping[str, str] = {
    "watch_destinations": "WATCH_SCHEDULE",
    "drain_poison_queues": "WATCH_SCHEDULE",
    "run_backfill": "BACKFILL_SCHEDULE",
    "sweep_profiles": "SWEEP_SCHEDULE",
    "evaluate_alerts": "ALERT_SCHEDULE",
}
"""The setting that each takes its schedule from."""
BY_SCHEDULE: Mapping[str, str] = {
    setting: " and ".join(timer for timer, its in TIMERS.items() if its == setting) for setting in TIMERS.values()
}
"""By setting, the timers that take their schedule from it, in words."""
LEAST_PATIENCE = 2 * MINUTE
"""So late may a run be before it is overdue, or a twelfth of the time between two runs where that is more: two hours of
a day. After a restart a timer waits for its lock, and a cold start.
"""
_SHARE_OF_PATIENCE = 12
_DISABLING = re.compile(r"AzureWebJobs(?P<dot>[._])(?P<function>[a-z]\w*)(?P=dot)Disabled", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimerRun:
    """The last run of a timer, as far as it is known. Times are microseconds, 0 where not yet.

    Its next run is reckoned from `since`: when it ran, or when it was first known by this schedule. `covered_at`: when
    another function last did its work. `etag` is of the row that was read, None where there is none yet.
    """

    name: str
    schedule: str
    since: int
    ran_at: int = 0
    covered_at: int = 0
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TimerState:
    """`overdue_seconds`: for how long a run has been missing beyond all patience, 0 where none is."""

    run: TimerRun
    due_at: int
    overdue_seconds: float

    @property
    def is_overdue(self) -> bool:
        return self.overdue_seconds > 0


def state_of(run: TimerRun, now: int, zone: tzinfo = UTC) -> TimerState | None:
    """Where the timer stands `now`, if its schedule is one; schedules are read in `zone`."""
    try:
        schedule = parse_schedule(run.schedule)
        due = schedule.next_after(datetime.fromtimestamp(run.since / SECOND, zone).replace(tzinfo=None))
        following = schedule.next_after(due)
    except ScheduleError:
        return None
    due_at = int(due.replace(tzinfo=zone).timestamp() * SECOND)
    pause = int((following - due).total_seconds() * SECOND)
    late = now - due_at - max(LEAST_PATIENCE, pause // _SHARE_OF_PATIENCE)
    return TimerState(run, due_at, late / SECOND if late > 0 else 0.0)


def disabled_by(name: str, value: str) -> str | None:
    """The function that the host leaves out because of this setting, in lower case; None where it leaves out none.

    It takes neither `__` for the dots nor spaces around the value.
    """
    found = _DISABLING.fullmatch(name)
    return found["function"].lower() if found and value.lower() in ("true", "1") else None


def schedules_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The schedule of each timer that is to run, by its name, as the settings have it."""
    disabled = {disabled_by(name, value) for name, value in environment.items()}
    return {
        name: environment[setting].strip()
        for name, setting in TIMERS.items()
        if environment.get(setting, "").strip() and name not in disabled
    }
