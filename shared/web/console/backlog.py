"""What waits on the queues, in words: which of it needs somebody, and what to do then."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from shared.domain.instants import MINUTE
from shared.domain.messages.queue_kind import QueueKind
from shared.ports.queues import QueueCount

_LATE = 10 * MINUTE
"""As long as the rule slow-exports allows; what is delayed on purpose waits for less, unless settings say otherwise."""

_UPSTREAMS = "Create it, or name another in the app setting PROFILE_CHANGES_QUEUE."
_OWN = "Restart the app: it creates this queue when it starts."
_WHEN_LATE = {
    QueueKind.CHANGES: "See whether an upload or a backfill is on, and let more instances run. "
    "Nothing is lost meanwhile.",
    QueueKind.RETRIES: "Exports that failed are tried again from here: see which destination is down, "
    "and whether retry_export runs.",
    QueueKind.SLICES: "Parts of backfills, sweeps and uploads: BACKFILL_PER_SECOND is their pace on each instance, "
    "so let more of them run.",
    QueueKind.ALERTS: "Webhooks were not told of these alerts yet: see on the page of alerts what could not be "
    "delivered, and whether deliver_alert runs.",
}
_POISONED = (
    "They failed at every delivery. drain_poison_queues puts them back once storage answers: "
    "if they stay, its log says why."
)


class Need(IntEnum):
    """How much a queue needs somebody, the most first."""

    POISONED = 0
    MISSING = 1
    UNKNOWN = 2
    LATE = 3
    NONE = 4


@dataclass(frozen=True, slots=True)
class Backlog:
    """One queue that is not empty, or missing, or not known; `what_to_do` is empty where there is nothing to do."""

    count: QueueCount
    need: Need
    what_to_do: str


def backlogs(counts: Iterable[QueueCount], now: int) -> list[Backlog]:
    """Of queues where something waits, or should; those that need somebody first."""
    found = [_backlog(each, now) for each in counts if not _is_as_it_should_be(each)]
    return sorted(found, key=lambda backlog: backlog.need)


def _is_as_it_should_be(count: QueueCount) -> bool:
    return count.messages == 0 or (count.poison and count.messages is None and count.unknown is None)


def _backlog(count: QueueCount, now: int) -> Backlog:
    if count.unknown is not None:
        return Backlog(count, Need.UNKNOWN, count.unknown)
    if count.messages is None:
        return Backlog(count, Need.MISSING, _UPSTREAMS if count.kind is QueueKind.CHANGES else _OWN)
    if count.poison:
        return Backlog(count, Need.POISONED, _POISONED)
    front = count.front_inserted_at
    if front is not None and now - front >= _LATE:
        return Backlog(count, Need.LATE, _WHEN_LATE[count.kind])
    return Backlog(count, Need.NONE, "")
