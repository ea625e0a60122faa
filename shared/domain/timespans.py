"""Durations as host.json and timer schedules write them, read as .NET reads them in Azure."""

import re
from datetime import timedelta

_TIMESPAN = re.compile(
    r"(?P<sign>-?)(?:(?:(?P<days>\d+)\.)?(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+(?:\.\d{1,7})?))?"
    r"|(?P<whole_days>\d+))"
)


def parse_timespan(text: str) -> timedelta:
    """Read `[-][days.]HH:MM[:SS[.fraction]]`, or a number of days; anything else is a ValueError.

    With hours beyond 23 the first of three numbers is taken for days: `24:00:00` is 24 days.
    """
    match = _TIMESPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time span HH:MM:SS")
    numbers = match.groupdict(default="0")
    days = int(numbers["days"]) + int(numbers["whole_days"])
    hours, minutes, seconds = int(numbers["hours"]), int(numbers["minutes"]), float(numbers["seconds"])
    if hours > 23 and match["days"] is None and match["seconds"] is not None:
        days, hours, minutes, seconds = hours, minutes, int(seconds), seconds % 1
    if hours > 23 or minutes > 59 or seconds >= 60:
        raise ValueError(f"{text!r} has too many hours, minutes or seconds: 23:59:59 are the most")
    try:
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any time span") from None
    return -length if match["sign"] else length
