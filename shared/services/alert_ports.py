"""What alerts need of the outside, besides what all services do (`shared.services.ports`)."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.domain.alert_delivery import AlertDelivery
from shared.domain.alert_state import Alert
from shared.domain.alert_subscriptions import AlertSubscription


class ExportCounts(Protocol):
    """What became of a destination's exports in a slot.

    `activated`: exports that the hub acknowledged. `failed`: attempts that it did not acknowledge. `dead`, `parked`:
    exports that became so.
    """

    @property
    def activated(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def dead(self) -> int: ...

    @property
    def parked(self) -> int: ...

    def latency_quantile(self, p: float) -> float | None:
        """Within how many seconds the share `p` of the exports was acknowledged; None where there was none."""


@dataclass(frozen=True, slots=True)
class ExportSlot:
    """From `start`, in microseconds, as long as the step that was asked for."""

    start: int
    counts: ExportCounts


class ExportHistory(Protocol):
    async def read(self, destination_id: str, since: int, until: int, step: int) -> list[ExportSlot]:
        """The slots of `step` from `since` until `until` (microseconds), also those in which nothing was exported.

        The first may start before `since`, the last end after `until`. An empty list says that nothing is known of that
        time. Raises StorageError.
        """


Item = TypeVar("Item", AlertSubscription, Alert, AlertDelivery)


@dataclass(slots=True)
class Stored(Generic[Item]):
    """As read or saved; `etag` is None where there is no row yet."""

    item: Item
    etag: str | None


class AlertRows(Protocol[Item]):
    """The rows of one kind, by their key."""

    async def all(self) -> list[Stored[Item]]:
        """By key. Raises StorageError."""

    async def load(self, key: str) -> Stored[Item] | None:
        """Raises StorageError."""

    async def save(self, stored: Stored[Item]) -> None:
        """Save the row if it is still the one read, and take its new etag. Raises ConflictError if it is not."""

    async def delete(self, stored: Stored[Item]) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""


class AlertStore(Protocol):
    @property
    def subscriptions(self) -> AlertRows[AlertSubscription]: ...

    @property
    def alerts(self) -> AlertRows[Alert]: ...

    @property
    def deliveries(self) -> AlertRows[AlertDelivery]: ...


@dataclass(frozen=True, slots=True)
class DeliveryPointer:
    """Says which delivery to attempt; one whose `attempt` is not the next is outdated."""

    event_id: str
    subscription_id: str
    attempt: int


class DeliveryQueue(Protocol):
    async def put(self, pointer: DeliveryPointer, delay: float) -> None:
        """Bring `pointer` in `delay` seconds. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """`status` is None where there was no answer; `problem` says what was wrong, None where the event was taken."""

    status: int | None
    problem: str | None


class WebhookSender(Protocol):
    async def post(self, url: str, headers: dict[str, str], body: bytes) -> WebhookAnswer:
        """Post once, to a public address alone, follow no redirect, and be back within about ten seconds."""
