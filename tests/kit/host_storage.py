"""The storage of a Functions host without an account: queues and leased blobs on the event loop's clock, with faults.

It passes the contract that the host's real adapter passes (`tests/contracts/host_storage.py`).
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from local.functions_host.storage.requests import ReceivedMessage, StorageRequestError

T = TypeVar("T")

WEEK = 7 * 86_400.0
_NOT_FOUND, _CONFLICT, _PRECONDITION_FAILED = 404, 409, 412


@dataclass
class StoredMessage:
    """Times in seconds of the loop."""

    text: str
    inserted: float
    lifetime: float | None = WEEK
    """None for a message that never expires."""
    visible: float = 0.0
    dequeue_count: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receipt: str = ""


@dataclass
class _Blob:
    content: bytes
    lease_id: str = ""
    lease_seconds: float = 0.0
    leased_until: float = 0.0


@dataclass(frozen=True)
class Fault:
    """What happens to requests of one kind for a while; `kind` is status, drop, hang or late."""

    operation: str
    kind: str
    start: float = 0.0
    end: float = float("inf")
    status: int = 0
    code: str = ""
    seconds: float = 0.0


@dataclass
class FakeStorage:
    """An account. `requests` is the record of what was asked of it."""

    faults: Sequence[Fault] = ()
    latency: float = 0.005
    epoch: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    """When the loop's clock showed 0."""
    queues: dict[str, list[StoredMessage]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, _Blob] = field(default_factory=dict)
    has_container: bool = False

    def now(self) -> datetime:
        return self.at(_time())

    def at(self, seconds: float) -> datetime:
        return self.epoch + timedelta(seconds=seconds)

    def put(self, queue: str, text: str, lifetime: float | None = WEEK, dequeue_count: int = 0) -> None:
        """What a client puts on a queue that is there."""
        now = _time()
        self.queues[queue].append(StoredMessage(text, now, lifetime, visible=now, dequeue_count=dequeue_count))

    async def answered(self, operation: str, target: str, request: Callable[[], T], **details: object) -> T:
        """The answer to a request, or what a fault makes of it; either way it is recorded."""
        entry: dict[str, Any] = {"t": _time(), "op": operation, "target": target, "status": None, **details}
        self.requests.append(entry)
        await asyncio.sleep(self.latency)
        fault = next((each for each in self.faults if each.operation == operation and self._is_on(each)), None)
        if fault is not None and fault.kind == "drop":
            raise StorageRequestError(f"{operation} {target}: no answer", None)
        if fault is not None and fault.kind == "status":
            entry["status"] = fault.status
            raise StorageRequestError(f"{operation} {target}: {fault.status}", fault.status, fault.code)
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        try:
            answer = request()
        except StorageRequestError as error:
            entry["status"] = error.status
            raise
        entry["status"] = 200
        if isinstance(answer, list):
            entry["messages"] = [{"id": each.id, "dequeueCount": each.dequeue_count} for each in answer]
        if fault is not None and fault.kind == "late":
            await asyncio.sleep(fault.seconds)
        return answer

    def _is_on(self, fault: Fault) -> bool:
        return fault.start <= _time() < fault.end


class FakeQueue:
    """`QueueRequests` of one queue."""

    def __init__(self, storage: FakeStorage, name: str) -> None:
        self.name = name
        self._storage = storage

    async def exists(self) -> bool:
        try:
            await self._storage.answered("GetQueueMetadata", self.name, self._messages)
        except StorageRequestError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True

    async def create(self) -> None:
        await self._storage.answered("CreateQueue", self.name, lambda: self._storage.queues.setdefault(self.name, []))

    async def get(self, count: int, visibility_seconds: int) -> Sequence[ReceivedMessage]:
        return await self._storage.answered(
            "GetMessages",
            self.name,
            lambda: self._received(count, visibility_seconds),
            visibilitytimeout=visibility_seconds,
            numofmessages=count,
        )

    async def put(self, text: str) -> None:
        now = _time()
        await self._storage.answered(
            "PutMessage",
            self.name,
            lambda: self._messages().append(StoredMessage(text, now, visible=now)),
            text=text,
        )

    async def update(self, message_id: str, pop_receipt: str, visibility_seconds: int) -> str:
        return await self._storage.answered(
            "UpdateMessage",
            self.name,
            lambda: self._hidden(self._held(message_id, pop_receipt), visibility_seconds),
            visibilitytimeout=visibility_seconds,
        )

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        await self._storage.answered(
            "DeleteMessage", self.name, lambda: self._messages().remove(self._held(message_id, pop_receipt))
        )

    def _messages(self) -> list[StoredMessage]:
        if self.name not in self._storage.queues:
            raise StorageRequestError(f"{self.name}: no such queue", _NOT_FOUND, "QueueNotFound")
        return self._storage.queues[self.name]

    def _received(self, count: int, visibility_seconds: int) -> list[ReceivedMessage]:
        now = _time()
        visible = [each for each in self._messages() if each.visible <= now and not _expired(each, now)]
        for message in visible[:count]:
            message.dequeue_count += 1
            self._hidden(message, visibility_seconds)
        return [self._as_received(message) for message in visible[:count]]

    def _as_received(self, message: StoredMessage) -> ReceivedMessage:
        lifetime = message.lifetime if message.lifetime is not None else WEEK * 52
        return ReceivedMessage(
            message.id,
            message.receipt,
            message.text,
            message.dequeue_count,
            self._storage.at(message.inserted),
            self._storage.at(message.inserted + lifetime),
            self._storage.at(message.visible),
        )

    def _held(self, message_id: str, pop_receipt: str) -> StoredMessage:
        message = next((each for each in self._messages() if each.id == message_id), None)
        if message is None:
            raise StorageRequestError(f"{message_id}: no such message", _NOT_FOUND, "MessageNotFound")
        if message.receipt != pop_receipt:
            raise StorageRequestError(f"{message_id}: an outdated receipt", 400, "PopReceiptMismatch")
        return message

    def _hidden(self, message: StoredMessage, seconds: float) -> str:
        message.visible = _time() + seconds
        message.receipt = uuid.uuid4().hex
        return message.receipt


class FakeBlobs:
    """`BlobRequests` of the host's container."""

    def __init__(self, storage: FakeStorage) -> None:
        self._storage = storage

    async def create_container(self) -> None:
        def create() -> None:
            self._storage.has_container = True

        await self._storage.answered("CreateContainer", "", create)

    async def acquire_lease(self, blob: str, seconds: int) -> str:
        def acquire() -> str:
            found = self._found(blob)
            if found.leased_until > _time():
                raise StorageRequestError(f"{blob}: is leased", _CONFLICT, "LeaseAlreadyPresent")
            found.lease_id, found.lease_seconds = str(uuid.uuid4()), seconds
            found.leased_until = _time() + seconds
            return found.lease_id

        return await self._storage.answered("Lease-acquire", blob, acquire, seconds=seconds)

    async def renew_lease(self, blob: str, lease_id: str) -> None:
        def renew() -> None:
            leased = self._leased(blob, lease_id)
            leased.leased_until = _time() + leased.lease_seconds

        await self._storage.answered("Lease-renew", blob, renew)

    async def release_lease(self, blob: str, lease_id: str) -> None:
        def release() -> None:
            self._leased(blob, lease_id).leased_until = 0.0

        await self._storage.answered("Lease-release", blob, release)

    async def write(self, blob: str, content: bytes) -> None:
        def write() -> None:
            if not self._storage.has_container:
                raise StorageRequestError(f"{blob}: no container", _NOT_FOUND, "ContainerNotFound")
            if blob in self._storage.blobs and self._storage.blobs[blob].leased_until > _time():
                raise StorageRequestError(f"{blob}: is leased", _PRECONDITION_FAILED, "LeaseIdMissing")
            self._storage.blobs[blob] = _Blob(content)

        await self._storage.answered("PutBlob", blob, write)

    async def read(self, blob: str) -> bytes:
        return await self._storage.answered("GetBlob", blob, lambda: self._found(blob).content)

    def _found(self, blob: str) -> _Blob:
        if blob not in self._storage.blobs:
            code = "BlobNotFound" if self._storage.has_container else "ContainerNotFound"
            raise StorageRequestError(f"{blob}: is not there", _NOT_FOUND, code)
        return self._storage.blobs[blob]

    def _leased(self, blob: str, lease_id: str) -> _Blob:
        found = self._found(blob)
        if found.lease_id != lease_id:
            raise StorageRequestError(f"{blob}: another has its lease", _CONFLICT, "LeaseIdMismatchWithLeaseOperation")
        return found


def _expired(message: StoredMessage, now: float) -> bool:
    return message.lifetime is not None and message.inserted + message.lifetime <= now


def _time() -> float:
    return asyncio.get_running_loop().time()
