"""What the app's own queue messages bring: where to look, and nothing of a profile."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RetryPointer:
    """Says which row to try again, and nothing of the profile; one whose `attempt` is not the row's is outdated."""

    destination_id: str
    profile_key: str
    attempt: int


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
