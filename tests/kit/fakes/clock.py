"""A clock that goes when it is told to."""

from shared.domain.instants import SECOND


class ManualClock:
    """A clock that stands still until told otherwise; it also sleeps, which moves it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)
