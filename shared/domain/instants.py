"""Instants: whole microseconds since 1970-01-01T00:00:00Z, so that clocks compare as integers."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

YEAR_2000_MS = 946_684_800_000
"""Milliseconds. Times in seconds, taken for milliseconds, seem to be from before that."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_SHAPE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)

EXPECTED_INSTANT = "a date and time with a zone, such as 2026-01-11T21:24:39Z"


@lru_cache(maxsize=64)  # a change names the same one more than once
def parse_instant(text: str) -> int:
    """The instant that `text` names, in microseconds; digits past the sixth decimal are dropped.

    Takes the forms of the specification, with any offset (docs/rules.md, "Forms of time").
    Raises ValueError for any other form and for dates that do not exist.
    """
    try:
        if not _SHAPE.fullmatch(text) or (moment := datetime.fromisoformat(text)) < _EARLIEST:
            raise ValueError
    except ValueError:
        raise ValueError(f"expected {EXPECTED_INSTANT}") from None
    return (moment - _EPOCH) // _ONE_MICROSECOND


def format_instant(instant: int, *, decimals: bool = False) -> str:
    """`instant` as `2026-01-11T21:24:39Z`, with six decimals where it has any, or in any case."""
    text = (_EPOCH + timedelta(microseconds=instant)).isoformat(timespec="microseconds" if decimals else "auto")
    return text.removesuffix("+00:00") + "Z"


def within(elapsed: int, duration: int) -> bool:
    """Whether less than `duration` has passed; a negative `elapsed` tells of clocks that differ, and not of a wait."""
    return 0 <= elapsed < duration
