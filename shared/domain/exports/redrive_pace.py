"""How many exports a redrive sends at a time: ever more while they are taken soon, half where they are not.

What waits for a hub, for storage or for the worker waits before live changes, too: so how long a redrive's own exports
take tells what it costs them, whichever of the three is short. A hub that throttles takes seconds.
"""

from dataclasses import dataclass

from shared.domain.instants import SECOND

FIRST = 3
MOST = 256
STEP = 16
"""How many more each time once something was slow, or half as many again where those are fewer."""
PATIENCE = SECOND
"""How long exports that are sent together may take (microseconds), the slowest of them."""
PATIENCE_BESIDE_CHANGES = SECOND // 4
"""The same while the worker has changes in hand."""


@dataclass(frozen=True, slots=True)
class RedrivePace:
    """`at_once`: how many to send next, together. `doubles`: nothing was slow yet.

    `most_per_second` is never exceeded. Durations are microseconds.
    """

    most_per_second: float
    at_once: int = FIRST
    doubles: bool = True

    def after(self, took: int, *, failed: bool, beside_changes: bool) -> "RedrivePace":
        """The pace once those that were sent together have `took` so long. `failed`: one of them, or was held back."""
        if failed or took > _patience(beside_changes):
            return RedrivePace(self.most_per_second, max(1, self.at_once // 2), doubles=False)
        more = 2 * self.at_once if self.doubles else self.at_once + max(1, min(STEP, self.at_once // 2))
        return RedrivePace(self.most_per_second, min(MOST, more), self.doubles)

    def rest(self, sent: int, took: int, *, beside_changes: bool) -> int:
        """How long to wait before the next are sent: as long again where these were slow beside changes, which get a
        turn then.
        """
        due = int(sent * SECOND / self.most_per_second) - took
        return max(due, self.yields(took, beside_changes=beside_changes))

    @staticmethod
    def yields(took: int, *, beside_changes: bool) -> int:
        """How long to wait for the changes beside it."""
        return took if beside_changes and took > PATIENCE_BESIDE_CHANGES else 0


def _patience(beside_changes: bool) -> int:
    return PATIENCE_BESIDE_CHANGES if beside_changes else PATIENCE
