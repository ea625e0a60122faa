"""How long an idle queue listener waits before it polls again."""

from ..storage.retries import Uniform

_SHORTEST = 0.1
# The delay has long reached its end by then, and a float's exponent must not.
_MOST_DOUBLINGS = 32


class PollDelay:
    """A tenth of a second at first, then about twice as long each time up to the longest delay, where it stays."""

    def __init__(self, longest: float, uniform: Uniform) -> None:
        self._longest = longest
        self._uniform = uniform
        self._doublings = -1

    def next(self, *, found: bool) -> float:
        """Seconds to wait; a poll that `found` messages since the last wait lets the delays begin anew."""
        self._doublings = 0 if found else min(self._doublings + 1, _MOST_DOUBLINGS)
        if self._doublings == 0:
            return _SHORTEST
        # The part that is random keeps instances from polling in step.
        delay = _SHORTEST * (1 + 2.0 ** (self._doublings - 1) * self._uniform(0.8, 1.2))
        if delay >= self._longest:
            self._doublings = _MOST_DOUBLINGS
            return self._longest
        return delay
