"""Exports that could not be sent: what is remembered of them, and what is tried next.

docs/rules.md, "What becomes of an export that failed".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.domain.exports.export import Export
from shared.domain.instants import SECOND, within
from shared.domain.profile.audience_transitions import Transitions, merged
from shared.errors import FailureCode

BUCKETS = 16
"""Over how many partitions what a destination has undelivered is spread."""
TRANSITIONS_KEPT = 1_000
"""Of one row, so that it fits into a table and its export into a hub."""


class UndeliveredState(StrEnum):
    """`retrying`: a pointer on the retry queue brings the next attempt. `parked`: its destination, or the partition
    that it is for, takes nothing for now. `dead`: every attempt failed, or no further one can succeed.
    """

    RETRYING = "retrying"
    PARKED = "parked"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. `permanent`: sending the same again is in vain."""

    error: str
    code: FailureCode
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What one destination has not heard of one profile. Times are microseconds.

    There is one for a destination and a profile, however many exports failed: an attempt sends the profile as it is
    by then. `version` is the greatest that failed; only a send of that version or a later one settles it, that tells
    all of `transitions`, of which the first `omitted` are gone. `code` is a FailureCode; None in rows of release 0.1.
    """

    destination_id: str
    profile_id: str
    state: UndeliveredState
    version: int
    reasons: tuple[str, ...]
    occurred_at: int
    attempts: int
    first_failed_at: int
    last_failed_at: int
    last_error: str
    permanent: bool = False
    code: str | None = None
    transitions: Transitions = ()
    omitted: int = 0

    def tells_more_than(self, earlier: "Undelivered") -> bool:
        """Whether it has transitions to tell that the same row had not when it was `earlier`."""
        return not set(self.transitions).issubset(earlier.transitions)


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """The row to save, and after how many seconds a new pointer is to bring the next attempt, if one is."""

    row: Undelivered
    pointer_delay: float | None = None


def after_failed_send(
    current: Undelivered | None, export: Export, failure: Failure, now: int, delays: Sequence[float]
) -> NextAttempt:
    """What follows when the first attempt to send `export` failed; `current` is what is undelivered already.

    A row that waits for its retry or its redrive only learns of the newer export: one pointer for each row is enough.
    """
    if current is None or (current.permanent and not failure.permanent):
        first = _first_failure(export, failure, now, delays)
        return first if current is None else replace(first, row=_telling(first.row, current, export))
    row = _with_export(current, export, failure, now)
    if failure.permanent:
        row = replace(row, state=UndeliveredState.DEAD, permanent=True)
    return NextAttempt(row)


def _first_failure(export: Export, failure: Failure, now: int, delays: Sequence[float]) -> NextAttempt:
    retry = bool(delays) and not failure.permanent
    row = Undelivered(
        destination_id=export.destination.id,
        profile_id=export.profile_id,
        state=UndeliveredState.RETRYING if retry else UndeliveredState.DEAD,
        version=export.version,
        reasons=export.reasons,
        occurred_at=export.occurred_at,
        attempts=1,
        first_failed_at=now,
        last_failed_at=now,
        last_error=failure.error,
        permanent=failure.permanent,
        code=failure.code,
    )
    return NextAttempt(_telling(row, row, export), delays[0] if retry else None)


def _telling(row: Undelivered, current: Undelivered, export: Export) -> Undelivered:
    """`row` with what `current` has still to tell, and `export`."""
    if not export.transitions and not current.transitions:
        return row
    told = merged(current.transitions, export.transitions)
    return replace(
        row,
        transitions=told[-TRANSITIONS_KEPT:],
        omitted=max(current.omitted, export.omitted) + max(0, len(told) - TRANSITIONS_KEPT),
    )


def _with_export(current: Undelivered, export: Export, failure: Failure, now: int) -> Undelivered:
    return replace(
        _telling(current, current, export),
        version=max(current.version, export.version),
        reasons=tuple(dict.fromkeys((*current.reasons, *export.reasons))),
        occurred_at=max(current.occurred_at, export.occurred_at),
        last_failed_at=now,
        last_error=failure.error,
        code=failure.code,
    )


def after_failed_retry(current: Undelivered, failure: Failure, now: int, delays: Sequence[float]) -> NextAttempt:
    """What follows when a retry failed: the next delay, or none once all of `delays` are used up."""
    attempts = current.attempts + 1
    retry = attempts <= len(delays) and not failure.permanent
    row = replace(
        current,
        state=UndeliveredState.RETRYING if retry else UndeliveredState.DEAD,
        attempts=attempts,
        last_failed_at=now,
        last_error=failure.error,
        permanent=failure.permanent,
        code=failure.code,
    )
    return NextAttempt(row, delays[attempts - 1] if retry else None)


def parked(current: Undelivered | None, export: Export, why: Failure, now: int) -> Undelivered:
    """The row of an export that is not tried, or not tried again for now: its destination is down, or its dataflow
    paused, or its partition takes nothing.
    """
    row = replace(_first_failure(export, why, now, ()).row, attempts=0) if current is None else current
    return replace(_with_export(row, export, why, now), state=UndeliveredState.PARKED, permanent=False)


def retry_delay(row: Undelivered, delays: Sequence[float]) -> float:
    """After how many seconds the attempt that `row` waits for comes."""
    return delays[min(row.attempts, len(delays)) - 1] if delays else 0.0


def retry_overdue(row: Undelivered, now: int, delays: Sequence[float], patience: float) -> bool:
    """Whether a retry should have come `patience` seconds ago: its pointer is lost and a new one is needed."""
    expected = int((retry_delay(row, delays) + patience) * SECOND)
    return row.state == UndeliveredState.RETRYING and not within(now - row.last_failed_at, expected)
