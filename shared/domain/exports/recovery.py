"""How far a redrive is: of a destination that answers again, or that somebody asked to redrive."""

from dataclasses import dataclass

from shared.domain.instants import MINUTE, SECOND, within

GOES_ON_WITHIN = 5 * MINUTE
"""Runs are a minute apart. One that was not heard of for longer is over, or began anew."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Since `since` until `at` (microseconds) `settled` rows were sent, or dropped as nobody wants them any more."""

    destination_id: str
    since: int
    at: int
    settled: int = 0

    def goes_on(self, now: int) -> bool:
        return within(now - self.at, GOES_ON_WITHIN)


@dataclass(frozen=True, slots=True)
class RecoveryProgress:
    """`left`: how many rows wait still; where that is not `complete`, at least so many."""

    recovery: Recovery
    left: int
    complete: bool

    @property
    def total(self) -> int | None:
        """How many there were to send, with those that came since."""
        return self.recovery.settled + self.left if self.complete else None

    @property
    def share(self) -> float | None:
        """From 0 to 1."""
        return None if self.total is None else self.recovery.settled / self.total if self.total else 1.0

    @property
    def per_second(self) -> float:
        """On average, pauses between runs included."""
        took = self.recovery.at - self.recovery.since
        return self.recovery.settled / took * SECOND if took > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None where that is not known."""
        return self.left / self.per_second if self.complete and self.per_second else None
