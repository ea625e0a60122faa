"""Timer schedules: six-field NCRONTAB expressions and fixed intervals."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.timespans import parse_timespan

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")
# 29 February falls on a given weekday at least once in 40 years.
_SEARCHED_DAYS = 40 * 366


class ScheduleError(ValueError):
    """A schedule that the host would not accept, or that never occurs."""


class Schedule(Protocol):
    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment`."""


@dataclass(frozen=True)
class Interval:
    """Every so often, counted from the last occurrence."""

    length: timedelta

    def next_after(self, moment: datetime) -> datetime:
        try:
            return moment + self.length
        except OverflowError:
            raise ScheduleError(f"every {self.length} is longer than any calendar") from None


@dataclass(frozen=True)
class Ncrontab:
    """The seconds, minutes, hours, days, months and weekdays of an expression; all of them must match."""

    expression: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def next_after(self, moment: datetime) -> datetime:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for offset in range(_SEARCHED_DAYS):
            day = midnight + timedelta(days=offset)
            if self._has_day(day) and (found := self._first_in_day(day, moment)):
                return found
        raise ScheduleError(f"{self.expression!r} never occurs")

    def _has_day(self, day: datetime) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _first_in_day(self, day: datetime, after: datetime) -> datetime | None:
        for hour in self.hours:
            if day + timedelta(hours=hour + 1) <= after:
                continue
            for minute in self.minutes:
                if day + timedelta(hours=hour, minutes=minute + 1) <= after:
                    continue
                for second in self.seconds:
                    candidate = day + timedelta(hours=hour, minutes=minute, seconds=second)
                    if candidate > after:
                        return candidate
        return None


def parse_schedule(text: str) -> Schedule:
    """Read `second minute hour day month weekday`, or `HH:MM:SS` for an interval."""
    if ":" in text:
        try:
            interval = parse_timespan(text)
        except ValueError as error:
            raise ScheduleError(str(error)) from error
        if interval <= timedelta():
            raise ScheduleError(f"{text!r} is no interval: it has no length")
        return Interval(interval)
    fields = list(filter(None, text.split(" ")))  # the host takes no other white space
    if len(fields) == 5:  # the host accepts ordinary cron expressions, which begin with the minute
        fields.insert(0, "0")
    if len(fields) != 6:
        raise ScheduleError(f"{text!r} has {len(fields)} fields; six are wanted: second minute hour day month weekday")
    return Ncrontab(
        text,
        seconds=_values(fields[0], "second", 0, 59),
        minutes=_values(fields[1], "minute", 0, 59),
        hours=_values(fields[2], "hour", 0, 23),
        days=_values(fields[3], "day", 1, 31),
        months=_values(fields[4], "month", 1, 12, _MONTHS),
        weekdays=_values(fields[5], "weekday", 0, 6, _WEEKDAYS),
    )


def _values(field: str, unit: str, smallest: int, largest: int, names: tuple[str, ...] = ()) -> tuple[int, ...]:
    def number(text: str) -> int:
        named = (value for value, name in enumerate(names, smallest) if name.startswith(text.lower()))
        value = int(text) if text.isascii() and text.isdecimal() else next(named, -1)
        if not smallest <= value <= largest:
            raise ScheduleError(f"{text!r} is no {unit}: {smallest} to {largest} are")
        return value

    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match["first"] == "*" and match["last"]) or match["step"] == "0":
            raise ScheduleError(f"{part!r} cannot be read as {unit}s")
        if match["first"] == "*":
            first, last = smallest, largest
        else:
            first = number(match["first"])
            # A single value with a step goes on to the end: 10/5 is 10-59/5.
            last = number(match["last"]) if match["last"] else largest if match["step"] else first
        if first > last:
            raise ScheduleError(f"{part!r} runs backwards; write two ranges, divided by a comma")
        found.update(range(first, last + 1, int(match["step"] or 1)))
    return tuple(sorted(found))
