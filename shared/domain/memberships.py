"""Audience memberships: one last-writer-wins register for each audience."""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Membership:
    """`last_qualification_time` and `valid_until` are kept as received, for they are exported as received."""

    time: int
    strength: Strength
    last_qualification_time: str
    valid_until: str | None = None

    @classmethod
    def written(
        cls, time: int, *, realized: bool, last_qualification_time: str, valid_until: str | None
    ) -> "Membership":
        strength = Strength.REALIZED if realized else Strength.EXITED
        return cls(time, strength, last_qualification_time, valid_until)

    @property
    def realized(self) -> bool:
        return self.strength == Strength.REALIZED

    @property
    def status(self) -> str:
        return "realized" if self.realized else "exited"

    @cached_property
    def order(self) -> tuple[int, int, int, str, str]:
        """The greater of two writes wins. The texts come last: they only make the order total."""
        qualified = parse_instant(self.last_qualification_time)
        return self.time, self.strength, qualified, self.last_qualification_time, self.valid_until or ""

    def beats(self, other: "Membership | None") -> bool:
        return other is None or self.order > other.order
