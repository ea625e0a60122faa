"""What the host asks of queues and blobs, one request at a time; `azure_storage` sends the requests to an account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class StorageRequestError(Exception):
    """Storage refused a request, or no answer came (`status` None); `code` is the service's own word for it."""

    def __init__(self, what: str, status: int | None, code: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class ReceivedMessage:
    """A message as a GET brings it, its text still encoded."""

    id: str
    pop_receipt: str
    text: str
    dequeue_count: int
    inserted_on: datetime | None = None
    expires_on: datetime | None = None
    next_visible_on: datetime | None = None


class QueueRequests(Protocol):
    """One queue. Every method is one request and raises StorageRequestError."""

    @property
    def name(self) -> str: ...

    async def exists(self) -> bool: ...

    async def create(self) -> None:
        """A queue that is there already is no error."""

    async def get(self, count: int, visibility_seconds: int) -> Sequence[ReceivedMessage]:
        """Up to `count` messages, which nobody else gets for so long. 404 QueueNotFound where there is no queue."""

    async def put(self, text: str) -> None:
        """Add a message that lives for seven days. 404 QueueNotFound where there is no queue."""

    async def update(self, message_id: str, pop_receipt: str, visibility_seconds: int) -> str:
        """Hide a message for so long from now on; returns its new receipt.

        400 PopReceiptMismatch or 404 MessageNotFound for an outdated receipt, 404 for a message that is gone.
        """

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        """Refused as `update` is."""


class BlobRequests(Protocol):
    """The host's own container. Every method is one request and raises StorageRequestError."""

    async def create_container(self) -> None:
        """One that is there already is no error."""

    async def acquire_lease(self, blob: str, seconds: int) -> str:
        """The lease's id. 404 where there is no blob or container, 409 LeaseAlreadyPresent where another holds it."""

    async def renew_lease(self, blob: str, lease_id: str) -> None:
        """409 where another has taken the lease since."""

    async def release_lease(self, blob: str, lease_id: str) -> None: ...

    async def write(self, blob: str, content: bytes) -> None:
        """404 where there is no container, 412 where the blob is leased."""

    async def read(self, blob: str) -> bytes:
        """404 where there is no blob."""
