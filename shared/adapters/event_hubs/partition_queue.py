"""What waits for one partition of a hub, and what becomes of it when the partition is slow, busy or gone.

Nobody waits for a slow partition: whoever waits holds a queue message, and with it one of the few that the host hands
out at a time. All who wait are told, and until it answers again one send at a time tries it, while whoever comes is
told at once.

A partition that throttles has its events wait, and gets them again after a pause: that is how a hub meets more than it
is paid for, and storing each event elsewhere would multiply the load. Only where it takes nothing for
`throttled_after`, or too much waits, or for too long, they are told.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from shared.adapters.event_hubs.batches import Waiting
from shared.adapters.event_hubs.hub_connection import BusyError, NoAnswerError
from shared.errors import ExportTooLargeError, FailureCode, HeldBackError, SendError, ThrottledError

NEVER = float("inf")
_OVERHEAD = 1_024
"""What an event takes in memory besides its body, about, in bytes."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Durations in seconds.

    `gathering`: how long an event waits for others at most, for a send costs hardly more with many than with one;
    `gathering_more` where others are said to follow, unless so many wait that they are `worth_a_send`. `slow_after`: a
    connection that was lost is built anew within one to two. `tried_again_after`: when a slow partition is tried again
    that shares its connection with others. `throttled_pause`: what the SDK's own table says; `spread` is the share by
    which it is shorter or longer: a hub counts by the second, and lanes of many workers that came again after the same
    time would all meet it busy, again and again.
    `throttled_after`: how long a partition may take nothing before that is told; `throttled_longest`: how long an
    export may wait for one that takes others; `most_throttled`: how many bytes of exports to one destination may wait.
    """

    gathering: float = 0.005
    gathering_more: float = 0.025
    worth_a_send: int = 64
    slow_after: float = 2.5
    tried_again_after: float = 15.0
    throttled_pause: float = 4.0
    spread: float = 0.25
    throttled_after: float = 30.0
    throttled_longest: float = 60.0
    most_throttled: int = 16 * 1_048_576

    def pause(self) -> float:
        """How long to leave a hub alone that throttles."""
        return self.throttled_pause * random.uniform(1 - self.spread, 1 + self.spread)  # noqa: S311 - no secret


class PartitionQueue:
    """`alone`: it shares its connection with no other partition. `room` says whether so many bytes more may wait for a
    hub that throttles. All times are of one clock, in seconds.

    `waiting` are to be sent, `sent` are under way, from `begin` to `end`. `resume_at`: not to be sent to before, for
    the hub's sake.
    """

    def __init__(
        self, destination_id: str, partition: str, patience: Patience, *, alone: bool, room: Callable[[int], bool]
    ) -> None:
        self._destination_id = destination_id
        self._patience = patience
        self._alone = alone
        self._room = room
        self._trying = False
        self._throttled_since: float | None = None
        self._to_send_alone = 0
        self._flushed = False
        self.id = partition
        self.waiting: deque[Waiting] = deque()
        self.sent: list[Waiting] = []
        self.held: HeldBackError | None = None
        self.resume_at = 0.0
        self.throttled_bytes = 0

    def add(self, waiting: Waiting, now: float) -> bool:
        """Whether it waits now; otherwise it was told why not."""
        if self.held is not None and (self._trying or self.waiting or now < self.resume_at):
            waiting.fail(self.held)
            return False
        if self._throttled_since is not None:
            size = _size(waiting)
            if not self._room(size):
                waiting.fail(self._throttling("as much as may wait for it waits already"))
                return False
            self.throttled_bytes += size
        self.waiting.append(waiting)
        return True

    def flush(self) -> None:
        """What waits does not wait for others any more."""
        self._flushed = bool(self.waiting)

    @property
    def due_at(self) -> float:
        """When what waits, which is something, is to be sent."""
        if self._flushed or len(self.waiting) >= self._patience.worth_a_send:
            return self.resume_at
        first, patience = self.waiting[0], self._patience
        gathering = patience.gathering_more if first.more_follow else patience.gathering
        return max(self.resume_at, first.since + gathering)

    def begin(self) -> int:
        """A batch is made and sent; how many events it may hold."""
        self._trying, self._flushed = True, False
        return 1 if self._to_send_alone else len(self.waiting)

    def end(self) -> None:
        """The hub has answered, or will not; what it was is told by one of the methods below."""
        self._trying = False
        self._to_send_alone = max(0, self._to_send_alone - 1)

    def acknowledged(self) -> None:
        """The hub has what was sent."""
        for waiting in self.sent:
            waiting.taken(self.id)
        self.sent.clear()
        self.held, self._throttled_since, self.throttled_bytes = None, None, 0

    def slow(self, now: float, error: NoAnswerError | None = None) -> None:
        """Nothing came back in time."""
        reason = f"partition {self.id} has not answered in time, and is tried by one send at a time"
        self.held = HeldBackError(self._destination_id, reason, FailureCode.TIMEOUT, self.id)
        self.resume_at = now if self._alone else now + self._patience.tried_again_after
        self.fail_all(error or self.no_answer())

    def no_answer(self) -> NoAnswerError:
        reason = f"no acknowledgement within {self._patience.slow_after:g} s from partition {self.id}"
        return NoAnswerError(self._destination_id, reason, FailureCode.TIMEOUT, self.id)

    def throttled(self, now: float, error: BusyError) -> None:
        """What was sent was refused for now: it keeps its place, until that has lasted."""
        for waiting in self.sent:
            waiting.throttled = True
        self._give_back()
        if self._throttled_since is None or now > self.resume_at + self._patience.throttled_after:
            self._throttled_since = now
        self.resume_at = now + self._patience.pause()
        while self.waiting and self.waiting[0].since + self._patience.throttled_longest < self.resume_at:
            self.waiting.popleft().fail(self._throttling("it takes less than there is to send"))
        self.throttled_bytes = self._bytes_waiting()
        if self.resume_at >= self._throttled_since + self._patience.throttled_after:
            self.held = self._throttling(
                f"it has taken nothing for {now - self._throttled_since:.0f} s: {error.reason}", error.code
            )
            self.fail_all(self.held)

    def gone(self) -> None:
        """The hub has no such partition: what waits is for somebody else to decide on."""
        self._give_back()
        self.resume_at = NEVER

    def failed(self, error: SendError) -> None:
        """What was sent failed; where nothing could be sent, so did all that waits."""
        if isinstance(error, ExportTooLargeError) and len(self.sent) > 1:
            # Which of them the hub finds too large shows when each goes alone.
            self._to_send_alone = len(self.sent) + 1
            self._give_back()
            return
        if not self.sent:
            self.fail_all(error)
        for waiting in self.sent:
            waiting.fail(error)
        self.sent.clear()
        if self.throttled_bytes:
            self.throttled_bytes = self._bytes_waiting()

    def fail_all(self, error: SendError) -> None:
        for waiting in (*self.sent, *self.waiting):
            waiting.fail(error)
        self.sent.clear()
        self.waiting.clear()
        self.throttled_bytes = 0

    def take_all(self) -> list[Waiting]:
        """What waits, which is somebody else's from now on."""
        waiting = [*self.sent, *self.waiting]
        self.sent.clear()
        self.waiting.clear()
        return waiting

    def _bytes_waiting(self) -> int:
        return sum(map(_size, self.waiting))

    def _give_back(self) -> None:
        self.waiting.extendleft(reversed(self.sent))
        self.sent.clear()

    def _throttling(self, why: str, code: FailureCode = FailureCode.THROTTLED) -> ThrottledError:
        return ThrottledError(self._destination_id, f"the hub throttles partition {self.id}: {why}", self.id, code)


def _size(waiting: Waiting) -> int:
    return len(waiting.export.body) + _OVERHEAD
