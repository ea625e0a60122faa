"""What counting needs of the outside."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from shared.domain.alerts.alert import Alert
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import RunCounts, RunSlot


class RunStore(Protocol):
    """Counts by destination, slot and instance: an instance writes its own alone, so nobody waits for another."""

    async def put(self, destination_id: str, slot: RunSlot, instance: str) -> None:
        """Let `slot` be what `instance` has counted in it, whatever was there. Raises StorageError."""

    async def read(self, destination_id: str, since: int, until: int) -> list[RunSlot]:
        """What each instance counted in the slots that start from `since` until before `until` (microseconds).

        In no particular order. Raises StorageError.
        """

    async def forget(self, before: int) -> int:
        """Delete what was counted on the days that were over by then; how many rows went.

        In a bounded number of requests: there may be more. Raises StorageError.
        """


class MetricSink(Protocol):
    def publish(self, destination_id: str, counts: RunCounts) -> None:
        """Pass on what was counted since the last time, without waiting."""

    def publish_crossings(self, crossings: Mapping[tuple[AudienceKey, bool], int]) -> None:
        """Pass on how many profiles entered (True) or left audiences since the last time, without waiting."""

    def publish_members(self, members: Mapping[AudienceKey, int]) -> None:
        """Pass on how many profiles are in audiences, as just counted, without waiting."""

    def publish_consumer_lags(self, destination_id: str, lags: Mapping[str, tuple[int, float | None]]) -> None:
        """Pass on, by consumer group of the destination's hub, how many events are unread and for how many seconds the
        oldest of them has waited (None where unknown), as just seen, without waiting.
        """

    def publish_alerts(self, alerts: Iterable[Alert]) -> None:
        """Pass on which of them are open and which are over, as just judged, without waiting."""
