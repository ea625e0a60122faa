"""How a long redrive is cut into slices, so that several instances take part, and how fast each of them may go."""

from dataclasses import dataclass

from shared.domain.exports.redrive_pace import FIRST
from shared.domain.exports.undelivered import BUCKETS
from shared.domain.instants import SECOND
from shared.domain.profile_key import position_of_key

_FIRST_DIGITS = "048cg"
"""Of the keys where a part of a bucket begins, and behind the last; a key is 64 hexadecimal digits."""
_A_BUCKET = len(_FIRST_DIGITS) - 1
SLICES = BUCKETS * _A_BUCKET
"""More than one instance takes in hand (`batchSize` + `newBatchThreshold` of host.json are 24), and the platform adds
an instance for each `batchSize` of messages that wait.
"""
_STEP_SECONDS = 2
"""At the highest pace a slice sends no more together than what it may send in so many seconds."""


@dataclass(frozen=True, slots=True)
class RedrivePart:
    """The rows of `bucket` whose keys are greater than `after` and less than `before`."""

    bucket: int
    after: str
    before: str

    @classmethod
    def of(cls, number: int) -> "RedrivePart":
        """That of the slice with this number: keys are hashes, so all are about as large."""
        part = number // BUCKETS
        return cls(number % BUCKETS, _FIRST_DIGITS[part], _FIRST_DIGITS[part + 1])


def share_behind(key: str) -> float:
    """How much of its slice lies behind a row, from 0 to 1."""
    return position_of_key(f"{key:0<8}") * _A_BUCKET % 1


def most_together(most_per_second: float) -> int:
    """How many exports a slice sends together at most, where all slices may send `most_per_second`."""
    return max(FIRST, int(most_per_second / SLICES * _STEP_SECONDS))


def ahead_by(sent: int, since: int, now: int, most_per_second: float) -> int:
    """How long (microseconds) a slice has to wait before it has sent so many since the redrive began.

    One that waited on the queue has caught up by going faster, so all together send `most_per_second` on average and
    need not know of each other.
    """
    return max(0, since + int(sent * SLICES * SECOND / most_per_second) - now)
