"""An export that waits for a destination that is down, as a worker parks it."""

from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.errors import FailureCode


def parked_row(destination_id: str, profile_id: str, version: int, at: int) -> Undelivered:
    """`at`: when it failed (microseconds)."""
    return Undelivered(
        destination_id=destination_id,
        profile_id=profile_id,
        state=UndeliveredState.PARKED,
        version=version,
        reasons=("audience",),
        occurred_at=at,
        attempts=0,
        first_failed_at=at,
        last_failed_at=at,
        last_error="the destination is down",
        code=FailureCode.DESTINATION_DOWN,
    )
