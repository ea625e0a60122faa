"""Audience memberships: one last-writer-wins register for each audience."""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import TypeAlias

from shared.domain.instants import parse_instant

AudienceKey: TypeAlias = tuple[str, str]
"""(namespace, audience id)"""


class Strength(IntEnum):
    """What wins between two writes at the same time."""

    EXITED = 0
    REALIZED = 1
    EXPIRED = 2


# Looked up once: an enumeration's members and values take longer than all else that is done with them.
_REALIZED = Strength.REALIZED
STRENGTHS = tuple(Strength)


@dataclass(frozen=True)
class Membership:
    """`last_qualification_time` and `valid_until` are kept as received, for they are exported as received.

    `left_at`: when (in seconds) the profile was found to have left the audience; 0 where it is not known to have been
    in it. It depends on the order of delivery, and so decides nothing but how long the entry is kept and what a
    resumed dataflow catches up on.
    """

    time: int
    strength: Strength
    last_qualification_time: str
    valid_until: str | None = None
    left_at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def written(
        cls, time: int, *, realized: bool, last_qualification_time: str, valid_until: str | None
    ) -> "Membership":
        strength = Strength.REALIZED if realized else Strength.EXITED
        return cls(time, strength, last_qualification_time, valid_until)

    @property
    def realized(self) -> bool:
        return self.strength is _REALIZED

    @property
    def status(self) -> str:
        return "realized" if self.strength is _REALIZED else "exited"

    @cached_property
    def order(self) -> tuple[int, int, int, str, str]:
        """The greater of two writes wins. The texts come last: they only make the order total."""
        qualified = parse_instant(self.last_qualification_time)
        return self.time, self.strength, qualified, self.last_qualification_time, self.valid_until or ""

    def ended(self, now_seconds: int) -> "Membership":
        """What an expiry or a deletion makes of a membership (docs/rules.md, "Any order gives the same state").

        It has the same clock: it beats a redelivery of the write that it ends, and loses to any later one.
        """
        return replace(self, strength=Strength.EXPIRED, left_at=now_seconds)

    def after(self, before: "Membership | None", now_seconds: int) -> "Membership":
        """This membership as it is kept when it takes the place of `before`."""
        if self.realized or before is None:
            return self
        return replace(self, left_at=now_seconds if before.realized else before.left_at)

    def beats(self, other: "Membership | None") -> bool:
        if other is None or self.time > other.time:
            return True
        return self.time == other.time and self.order > other.order
