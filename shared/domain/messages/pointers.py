"""What the app's own queue messages bring: where to look, and nothing of a profile."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

_OF_NO_ROW = -1
"""No row counts so many attempts, so release 0.1 takes such a pointer for outdated."""


@dataclass(frozen=True, slots=True)
class RetryPointer:
    """Says which row to try again, and nothing of the profile; one whose `attempt` is not the row's is outdated.

    One that `settles` a version is of no row: it says that the profile is to be sent once more, unless a later version
    was called for. `reasons` are those of the export, with commas between.
    """

    destination_id: str
    profile_key: str
    attempt: int
    settles: int = 0
    reasons: str = ""
    occurred_at: int = 0

    @classmethod
    def settling(
        cls, destination_id: str, profile_key: str, version: int, reasons: Iterable[str], occurred_at: int
    ) -> "RetryPointer":
        return cls(destination_id, profile_key, _OF_NO_ROW, version, ",".join(reasons), occurred_at)


@dataclass(frozen=True, slots=True)
class SlicePointer:
    """Says which slice to work on; one whose `sequence` is not the slice's is outdated."""

    backfill_id: str
    bucket: int
    sequence: int


@dataclass(frozen=True, slots=True)
class DeliveryPointer:
    """Says which delivery to attempt; one whose `attempt` is not the next is outdated."""

    event_id: str
    subscription_id: str
    attempt: int


AnyPointer: TypeAlias = RetryPointer | SlicePointer | DeliveryPointer
