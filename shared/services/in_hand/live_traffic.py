"""Whether this worker is busy with profile changes: what can wait gives way to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.instants import SECOND, within
from shared.ports.time import Clock


class LiveTraffic:
    """A worker is busy while it handles a message, and for a second after: the next one is seldom far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._passing = 0
        self._last_seen = -SECOND

    @contextmanager
    def passing(self) -> Iterator[None]:
        """A message is being handled."""
        self._passing += 1
        try:
            yield
        finally:
            self._passing -= 1
            self._last_seen = self._clock()

    @property
    def busy(self) -> bool:
        return self._passing > 0 or within(self._clock() - self._last_seen, SECOND)
