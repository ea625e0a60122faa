"""Durations as host.json and timer schedules write them."""

import re
from datetime import timedelta

# Hours end at 23 because .NET, which reads these in Azure, takes "24:00:00" for 24 days.
_TIMESPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>[01]?\d|2[0-3]):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(?:\.\d{1,7})?)"
)


def parse_timespan(text: str) -> timedelta:
    """Read `[days.]HH:MM:SS[.fraction]`; anything else is a ValueError."""
    match = _TIMESPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time span HH:MM:SS with hours up to 23")
    return timedelta(**{unit: float(amount) for unit, amount in match.groupdict(default="0").items()})
