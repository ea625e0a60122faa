"""How far the work on an upload is: at its lines, waiting for them to be handled, or at the exits."""

from dataclasses import dataclass
from typing import TypeAlias

from shared.domain.backfills.csv_records import Place


@dataclass(frozen=True, slots=True)
class Lines:
    """The next record to be read."""

    place: Place

    def __str__(self) -> str:
        return f"lines:{self.place}"


@dataclass(frozen=True, slots=True)
class Settling:
    """Since when all lines are on the queue, and since when the last one is known to have been handled, or 0."""

    since: int
    handled: int = 0

    def __str__(self) -> str:
        return f"settling:{self.since}:{self.handled}"


@dataclass(frozen=True, slots=True)
class Exits:
    """The bucket of the member index, and the key in it that was dealt with last."""

    bucket: int
    key: str = ""

    def __str__(self) -> str:
        return f"exits:{self.bucket}:{self.key}"


Cursor: TypeAlias = Lines | Settling | Exits


def parse_cursor(text: str) -> Cursor | None:
    """None for the beginning, where it is empty."""
    phase, _, rest = text.partition(":")
    if not phase:
        return None
    if phase == "lines":
        return Lines(Place.parse(rest))
    first, _, second = rest.partition(":")
    return Settling(int(first), int(second)) if phase == "settling" else Exits(int(first), second)
