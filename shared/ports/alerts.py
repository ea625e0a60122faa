"""What alerts need of the outside."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.delivery import AlertDelivery
from shared.domain.alerts.subscription import AlertSubscription
from shared.domain.messages.pointers import DeliveryPointer

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
