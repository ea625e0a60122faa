"""The ports in memory. They pass the same contracts as the real adapters (`tests/contracts`)."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Generic

from shared.adapters.tables.service.continuation import decode_token, encode_token
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.delivery import AlertDelivery
from shared.domain.alerts.subscription import AlertSubscription
from shared.domain.audiences.counts import CountedAudiences
from shared.domain.configuration.credentials import Credentials
from shared.domain.configuration.model import AS_STORED, Configuration, Destination
from shared.domain.exports.export import Export
from shared.domain.exports.lag import Checkpoint, HubEnds, host_of
from shared.domain.exports.lag_look import LagLook
from shared.domain.exports.recovery import Recovery
from shared.domain.exports.redrive_slices import RedrivePart
from shared.domain.exports.sent_export import SentExport
from shared.domain.exports.undelivered import BUCKETS, Undelivered, UndeliveredState
from shared.domain.instants import DAY, SECOND
from shared.domain.messages.pointers import AnyPointer, DeliveryPointer, RetryPointer, SlicePointer
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import INDEX_BUCKETS, bucket_of_key, partition_of, profile_key
from shared.domain.runs import RunCounts, RunSlot
from shared.domain.timers import TimerRun
from shared.errors import (
    BadContinuationError,
    ConflictError,
    ConsumerLagError,
    MessageTooLargeError,
    ProfileTooLargeError,
    SecretError,
    SendError,
    StorageError,
    UploadFileChangedError,
)
from shared.ports.alerts import Item, Stored, WebhookAnswer
from shared.ports.audit import AuditEntry
from shared.ports.backfills import StoredBackfill, StoredSlice
from shared.ports.configuration import StoredConfiguration
from shared.ports.connections import ConnectionProblem, Verified
from shared.ports.exports import Acknowledgement
from shared.ports.health import DestinationTrouble, RedriveRequest
from shared.ports.last_exports import InstanceExports
from shared.ports.members import Member
from shared.ports.poison import PoisonMessage, PoisonRounds
from shared.ports.profiles import StoredProfile
from shared.ports.quarantine import QuarantinedEntry, QuarantinedItem, QuarantinePage, StoredQuarantinedItem
from shared.ports.queues import QueueCount
from shared.ports.undelivered import StoredUndelivered, UndeliveredCount, UndeliveredPage, UndeliveredTally
from shared.ports.uploads import StoredFile, WriteAccess

QUEUE_NAMES = {
    QueueKind.CHANGES: "profile-changes",
    QueueKind.RETRIES: "export-retries",
    QueueKind.SLICES: "backfill-slices",
    QueueKind.ALERTS: "alert-deliveries",
}


class ManualClock:
    """A clock that stands still until told otherwise; it also sleeps, which moves it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


class MemoryProfiles:
    """`before_save` runs ahead of each save, as somebody else's request might."""

    buckets = 32

    def __init__(self, size_limit: int = 1_000_000) -> None:
        self.rows: dict[str, tuple[str, str]] = {}
        self.saves: list[ProfileState] = []
        self.before_save: Callable[[], None] | None = None
        self._size_limit = size_limit
        self._etags = count(1)

    async def load(self, profile_id: str) -> StoredProfile:
        await asyncio.sleep(0)
        key = profile_key(profile_id)
        return self._stored(key, profile_id) or StoredProfile(ProfileState(profile_id), None, key)

    async def find(self, key: str) -> StoredProfile | None:
        await asyncio.sleep(0)
        return self._stored(key)

    async def scan(self, bucket: int, after: str = "") -> AsyncIterator[StoredProfile]:
        for key in sorted(self.rows):
            if bucket_of_key(key, self.buckets) == bucket and key > after and (stored := self._stored(key)):
                yield stored

    async def delete(self, profile: StoredProfile) -> None:
        await asyncio.sleep(0)
        current = self.rows.get(profile.key)
        if current is not None and profile.etag != current[1]:
            raise ConflictError("somebody else saved the profile first")
        self.rows.pop(profile.key, None)

    def _stored(self, key: str, profile_id: str = "") -> StoredProfile | None:
        if key not in self.rows:
            return None
        document, etag = self.rows[key]
        return StoredProfile(ProfileState.from_document(json.loads(document), profile_id), etag, key)

    def restore(self, profile_id: str, etag: str, saved_as: bytes) -> StoredProfile:
        return StoredProfile(
            ProfileState.from_document(json.loads(saved_as), profile_id), etag, profile_key(profile_id)
        )

    def require_room(self, profile: StoredProfile) -> None:
        size = len(json.dumps(profile.state.to_document()))
        if size > self._size_limit:
            raise ProfileTooLargeError(size)

    async def save(self, profile: StoredProfile) -> None:
        if self.before_save is not None:
            self.before_save()
        await asyncio.sleep(0)
        self.require_room(profile)
        document = json.dumps(profile.state.to_document())
        current = self.rows.get(profile.key)
        if profile.etag != (current[1] if current else None):
            raise ConflictError("somebody else saved the profile first")
        profile.etag = f"etag-{next(self._etags)}"
        profile.saved_as = document.encode()
        self.rows[profile.key] = (document, profile.etag)
        self.saves.append(ProfileState.from_document(json.loads(document), profile.state.profile_id))


class MemoryConfiguration:
    def __init__(self, configuration: Configuration | None = None) -> None:
        self.loads = 0
        self._etag = 0
        self._document: str | None = None
        self._last: StoredConfiguration | None = None
        if configuration is not None:
            self.put(configuration)

    @property
    def document(self) -> str:
        """As it is stored."""
        return self._document or "{}"

    def put(self, configuration: Configuration) -> None:
        """What somebody else's save does."""
        self._document = configuration.model_dump_json(by_alias=True)
        self._etag += 1

    async def load(self) -> StoredConfiguration:
        self.loads += 1
        if self._document is None:
            return StoredConfiguration(Configuration(), None)
        if self._last is None or self._last.etag != str(self._etag):
            self._last = StoredConfiguration(
                Configuration.model_validate_json(self._document, context=AS_STORED), str(self._etag)
            )
        return self._last

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        if etag != (str(self._etag) if self._document else None):
            raise ConflictError("somebody else saved the configuration first")
        self.put(configuration)


class MemoryQuarantine:
    def __init__(self) -> None:
        self.items: dict[tuple[str, int | None], QuarantinedItem] = {}

    async def put(self, item: QuarantinedItem) -> None:
        self.items[item.message_id, item.item] = item

    async def get(self, row_id: str) -> StoredQuarantinedItem | None:
        await asyncio.sleep(0)
        return self._stored().get(row_id)

    async def delete(self, row_id: str) -> None:
        await asyncio.sleep(0)
        if found := self._stored().get(row_id):
            del self.items[found.message_id, found.item]

    async def forget_profile(self, key: str, until: int) -> None:
        await asyncio.sleep(0)
        for row_id, stored in self._stored().items():
            if stored.profile_key == key and stored.received_at <= until:
                await self.delete(row_id)

    async def newest_first(self) -> AsyncIterator[StoredQuarantinedItem]:
        for _, stored in sorted(self._stored().items(), reverse=True):
            yield stored

    async def of_profile(self, key: str, most: int) -> Sequence[QuarantinedEntry]:
        await asyncio.sleep(0)
        found = sorted(self._stored().items(), reverse=True)
        return [stored for _, stored in found if stored.profile_key == key][:most]

    async def page(self, reason: str | None, token: str | None, most: int, code: str | None = None) -> QuarantinePage:
        await asyncio.sleep(0)
        before = None if token is None else self._place(token)
        found = [
            each
            for row_id, each in sorted(self._stored().items(), reverse=True)
            if (before is None or row_id < before)
            and (reason is None or reason in each.reason)
            and code in {None, each.code}
        ]
        return QuarantinePage(found[:most], encode_token(found[most - 1].row_id) if len(found) > most else None)

    @staticmethod
    def _place(token: str) -> str:
        (row_id,) = decode_token(token, 1)
        if row_id is None:
            raise BadContinuationError
        return row_id

    def _stored(self) -> dict[str, StoredQuarantinedItem]:
        """All items, by an id that sorts by the time of receipt."""
        stored = {}
        for item in self.items.values():
            row_id = f"{item.received_at // SECOND:012}-{item.message_id}-{item.item}"
            key = None if item.profile_id is None else profile_key(item.profile_id)
            received_at = item.received_at // SECOND * SECOND
            stored[row_id] = StoredQuarantinedItem(
                row_id, item.message_id, item.item, received_at, item.reason, key, item.raw, code=item.code
            )
        return stored


class MemoryChangesQueue:
    """Refuses bodies longer than `limit`."""

    def __init__(self, limit: int = 65_536) -> None:
        self.bodies: list[bytes] = []
        self._limit = limit

    async def put(self, body: bytes) -> None:
        if len(body) > self._limit:
            raise MessageTooLargeError("too large for a queue message")
        self.bodies.append(body)


class MemoryUndelivered:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[Undelivered, str]] = {}
        self.writes = 0
        self._etags = count(1)

    async def load(self, destination_id: str, profile_key: str) -> StoredUndelivered | None:
        await asyncio.sleep(0)
        found = self.rows.get((destination_id, profile_key))
        return StoredUndelivered(*found) if found else None

    async def save(self, undelivered: StoredUndelivered) -> None:
        await asyncio.sleep(0)
        key = self._key(undelivered)
        self._require_unchanged(key, undelivered.etag)
        undelivered.etag = f"etag-{next(self._etags)}"
        self.rows[key] = (undelivered.row, undelivered.etag)
        self.writes += 1

    async def delete(self, undelivered: StoredUndelivered) -> None:
        await asyncio.sleep(0)
        key = self._key(undelivered)
        if key in self.rows:
            self._require_unchanged(key, undelivered.etag)
            del self.rows[key]

    async def of(self, destination_id: str) -> AsyncIterator[StoredUndelivered]:
        for (owner, _), found in list(self.rows.items()):
            if owner == destination_id:
                yield StoredUndelivered(*found)

    async def part(self, destination_id: str, part: RedrivePart, after: str) -> AsyncIterator[StoredUndelivered]:
        for (owner, key), found in sorted(self.rows.items()):
            within = max(after, part.after) < key < part.before
            if owner == destination_id and within and bucket_of_key(key, BUCKETS) == part.bucket:
                yield StoredUndelivered(*found)

    async def page(
        self,
        destination_id: str | None,
        state: UndeliveredState | None,
        token: str | None,
        most: int,
        code: str | None = None,
    ) -> UndeliveredPage:
        await asyncio.sleep(0)
        after = None if token is None else tuple(decode_token(token, 2))
        found = [
            (key, row)
            for key, (row, _) in sorted(self.rows.items())
            if destination_id in {None, key[0]}
            and state in {None, row.state}
            and code in {None, row.code}
            and (after is None or key > after)
        ]
        following = encode_token(*found[most - 1][0]) if len(found) > most else None
        return UndeliveredPage([row for _, row in found[:most]], following)

    async def count(self, destination_id: str, most: int) -> UndeliveredCount:
        rows = [stored.row async for stored in self.of(destination_id)]
        tally = UndeliveredTally()
        for row in rows[:most]:
            tally.add(row.code, str(row.state), row.first_failed_at, row.last_failed_at)
        return tally.count(complete=len(rows) <= most)

    async def counts(self, most: int) -> dict[str, UndeliveredCount]:
        return {each: await self.count(each, most) for each in {owner for owner, _ in self.rows}}

    @staticmethod
    def _key(undelivered: StoredUndelivered) -> tuple[str, str]:
        return undelivered.row.destination_id, profile_key(undelivered.row.profile_id)

    def _require_unchanged(self, key: tuple[str, str], etag: str | None) -> None:
        found = self.rows.get(key)
        if etag != (found[1] if found else None):
            raise ConflictError("somebody else saved the row first")


class MemoryHealth:
    def __init__(self) -> None:
        self.troubles: dict[str, DestinationTrouble] = {}
        self.redrives: dict[str, RedriveRequest] = {}
        self.noted: dict[str, Recovery] = {}
        self._etags = count(1)

    async def load(self) -> dict[str, DestinationTrouble]:
        return dict(self.troubles)

    async def put(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        self.troubles[trouble.destination_id] = replace(trouble, etag=f"etag-{next(self._etags)}")

    async def replace(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        self._require_unchanged(trouble)
        await self.put(trouble)

    async def clear(self, trouble: DestinationTrouble) -> None:
        await asyncio.sleep(0)
        if trouble.destination_id in self.troubles:
            self._require_unchanged(trouble)
            del self.troubles[trouble.destination_id]

    async def requests(self) -> dict[str, RedriveRequest]:
        return dict(self.redrives)

    async def request(self, redrive: RedriveRequest) -> None:
        await asyncio.sleep(0)
        self.redrives[redrive.destination_id] = replace(redrive, etag=f"etag-{next(self._etags)}")

    async def fulfil(self, redrive: RedriveRequest) -> None:
        await asyncio.sleep(0)
        current = self.redrives.get(redrive.destination_id)
        if current is not None and current.etag != redrive.etag:
            raise ConflictError("it was asked for again")
        self.redrives.pop(redrive.destination_id, None)

    async def recoveries(self) -> dict[str, Recovery]:
        return dict(self.noted)

    async def note_recovery(self, recovery: Recovery) -> None:
        await asyncio.sleep(0)
        self.noted[recovery.destination_id] = recovery

    async def end_recovery(self, destination_id: str) -> None:
        await asyncio.sleep(0)
        self.noted.pop(destination_id, None)

    def _require_unchanged(self, trouble: DestinationTrouble) -> None:
        current = self.troubles.get(trouble.destination_id)
        if current is None or current.etag != trouble.etag:
            raise ConflictError("somebody else saved the row first")


class MemoryTimers:
    def __init__(self) -> None:
        self.runs: dict[str, TimerRun] = {}
        self.loads = 0
        self._etags = count(1)

    async def load(self) -> dict[str, TimerRun]:
        await asyncio.sleep(0)
        self.loads += 1
        return dict(self.runs)

    async def put(self, run: TimerRun) -> None:
        await asyncio.sleep(0)
        self.runs[run.name] = replace(run, etag=f"etag-{next(self._etags)}")

    async def save(self, run: TimerRun) -> None:
        await asyncio.sleep(0)
        found = self.runs.get(run.name)
        if run.etag != (found.etag if found else None):
            raise ConflictError("somebody else saved the row first")
        await self.put(run)


class MemoryRetryQueue:
    """`waiting` are (pointer, delay), in the order put."""

    def __init__(self) -> None:
        self.waiting: list[tuple[RetryPointer, float]] = []

    async def put(self, pointer: RetryPointer, delay: float) -> None:
        self.waiting.append((pointer, delay))


class MemoryMembers:
    """`clock` is the storage's own."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.rows: dict[tuple[AudienceKey, str], Member] = {}
        self._clock = clock
        self._etags = count(1)

    async def add(self, audience: AudienceKey, key: str) -> None:
        await asyncio.sleep(0)
        self.rows[audience, key] = Member(key, f"etag-{next(self._etags)}", self._clock())

    async def get(self, audience: AudienceKey, key: str) -> Member | None:
        await asyncio.sleep(0)
        return self.rows.get((audience, key))

    async def page(self, audience: AudienceKey, bucket: int, after: str, limit: int) -> list[Member]:
        await asyncio.sleep(0)
        keys = sorted(key for owner, key in self.rows if owner == audience and key > after)
        return [self.rows[audience, key] for key in keys if bucket_of_key(key, INDEX_BUCKETS) == bucket][:limit]

    async def delete(self, audience: AudienceKey, member: Member) -> None:
        await asyncio.sleep(0)
        current = self.rows.get((audience, member.key))
        if current is not None and current.etag != member.etag:
            raise ConflictError("the profile was listed anew")
        self.rows.pop((audience, member.key), None)


class MemoryBackfills:
    def __init__(self) -> None:
        self.rows: dict[str, StoredBackfill] = {}
        self.parts: dict[tuple[str, int], StoredSlice] = {}
        self._etags = count(1)

    async def load(self, backfill_id: str) -> StoredBackfill | None:
        await asyncio.sleep(0)
        return replace(self.rows[backfill_id]) if backfill_id in self.rows else None

    async def save(self, stored: StoredBackfill) -> None:
        await asyncio.sleep(0)
        self._require_unchanged(self.rows.get(stored.backfill.id), stored.etag)
        stored.etag = f"etag-{next(self._etags)}"
        self.rows[stored.backfill.id] = replace(stored)

    async def all(self) -> AsyncIterator[StoredBackfill]:
        for stored in sorted(self.rows.values(), key=lambda each: each.backfill.requested_at):
            yield replace(stored)

    async def slices(self, backfill_id: str) -> list[StoredSlice]:
        await asyncio.sleep(0)
        return [replace(part) for (owner, _), part in sorted(self.parts.items()) if owner == backfill_id]

    async def load_slice(self, backfill_id: str, bucket: int) -> StoredSlice | None:
        await asyncio.sleep(0)
        found = self.parts.get((backfill_id, bucket))
        return replace(found) if found else None

    async def save_slice(self, stored: StoredSlice) -> None:
        await asyncio.sleep(0)
        key = stored.slice.backfill_id, stored.slice.bucket
        self._require_unchanged(self.parts.get(key), stored.etag)
        stored.etag = f"etag-{next(self._etags)}"
        self.parts[key] = replace(stored)

    async def delete(self, backfill_id: str) -> None:
        self.rows.pop(backfill_id, None)
        self.parts = {key: part for key, part in self.parts.items() if key[0] != backfill_id}

    @staticmethod
    def _require_unchanged(current: StoredBackfill | StoredSlice | None, etag: str | None) -> None:
        if etag != (current.etag if current else None):
            raise ConflictError("somebody else saved the row first")


class MemorySliceQueue:
    def __init__(self) -> None:
        self.waiting: list[SlicePointer] = []

    async def put(self, pointer: SlicePointer) -> None:
        self.waiting.append(pointer)


class MemoryQueueCounter:
    """`waiting` are the messages of each queue by kind and whether it is the `-poison` queue: when each was put, and
    whether it can be taken now. A queue that is not among them is missing.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.waiting: dict[tuple[QueueKind, bool], list[tuple[int, bool]]] = {(kind, False): [] for kind in QueueKind}
        self.failure: StorageError | None = None
        self.unknown: dict[tuple[QueueKind, bool], str] = {}
        self._clock = clock

    def put(self, kind: QueueKind, *, poison: bool = False, messages: int = 1, visible: bool = True) -> None:
        """Put messages now."""
        self.waiting.setdefault((kind, poison), []).extend([(self._clock(), visible)] * messages)

    async def counts(self) -> list[QueueCount]:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return [self._count(kind, poison) for kind in QueueKind for poison in (False, True)]

    def _count(self, kind: QueueKind, poison: bool) -> QueueCount:
        waiting = self.waiting.get((kind, poison))
        front = next((put_at for put_at, visible in waiting or () if visible), None)
        name = f"{QUEUE_NAMES[kind]}-poison" if poison else QUEUE_NAMES[kind]
        if why := self.unknown.get((kind, poison)):
            return QueueCount(kind, name, poison, None, None, why)
        return QueueCount(kind, name, poison, None if waiting is None else len(waiting), front)


class MemoryPoisonQueues:
    """`waiting` can be taken, `taken` cannot for now; `back` is what was put back: its kind, its bytes, its pointer."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.waiting: list[PoisonMessage] = []
        self.taken: list[PoisonMessage] = []
        self.back: list[tuple[QueueKind, bytes, AnyPointer | None]] = []
        self._clock = clock
        self._ids = count(1)

    def put(self, kind: QueueKind, body: bytes, pointer: AnyPointer | None = None) -> PoisonMessage:
        """As the host does, whose copies last for seven days."""
        now = self._clock()
        message = PoisonMessage(kind, f"poison-{next(self._ids)}", body, now, now + 7 * DAY, pointer)
        self.waiting.append(message)
        return message

    def show_again(self) -> None:
        """As time does, once what was taken is not hidden any more."""
        self.waiting, self.taken = [*self.taken, *self.waiting], []

    async def take(self, kind: QueueKind) -> list[PoisonMessage]:
        await asyncio.sleep(0)
        found = [each for each in self.waiting if each.kind == kind][:32]
        self.waiting = [each for each in self.waiting if each not in found]
        self.taken += found
        return found

    async def put_back(self, message: PoisonMessage) -> None:
        await asyncio.sleep(0)
        self.back.append((message.kind, message.body, message.pointer))

    async def delete(self, message: PoisonMessage) -> None:
        await asyncio.sleep(0)
        self.waiting = [each for each in self.waiting if each.id != message.id]
        self.taken = [each for each in self.taken if each.id != message.id]


class MemoryPoisonRounds:
    def __init__(self) -> None:
        self.rows: dict[str, PoisonRounds] = {}
        self._etags = count(1)

    async def load(self, key: str) -> PoisonRounds | None:
        await asyncio.sleep(0)
        return replace(self.rows[key]) if key in self.rows else None

    async def save(self, rounds: PoisonRounds) -> None:
        await asyncio.sleep(0)
        current = self.rows.get(rounds.key)
        if rounds.etag != (current.etag if current else None):
            raise ConflictError("somebody else saved the row first")
        rounds.etag = f"etag-{next(self._etags)}"
        self.rows[rounds.key] = replace(rounds)

    async def ended_since(self, since: int) -> int:
        await asyncio.sleep(0)
        return min(1_000, sum(each.ended_at >= since for each in self.rows.values()))

    async def forget(self, before: int) -> None:
        await asyncio.sleep(0)
        self.rows = {key: each for key, each in self.rows.items() if each.ended_at >= before}


class MemoryUploadFiles:
    """Whoever has a `url` that was granted can write to it with `put`, as a client does over HTTP."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self._granted: dict[str, str] = {}
        self._etags = count(1)

    async def grant(self, upload_id: str, until: int) -> WriteAccess:
        url = f"memory://{upload_id}"
        self._granted[url] = upload_id
        return WriteAccess(url, {"x-ms-blob-type": "BlockBlob"}, until)

    async def put(self, url: str, body: bytes) -> None:
        await self.write(self._granted[url], body)

    async def write(self, upload_id: str, body: bytes) -> None:
        await asyncio.sleep(0)
        self.files[upload_id] = (body, f"etag-{next(self._etags)}")

    async def find(self, upload_id: str) -> StoredFile | None:
        await asyncio.sleep(0)
        found = self.files.get(upload_id)
        return StoredFile(len(found[0]), found[1]) if found else None

    async def read(self, upload_id: str, etag: str, start: int, length: int) -> bytes:
        await asyncio.sleep(0)
        body, current = self.files.get(upload_id, (b"", ""))
        if etag != current:
            raise UploadFileChangedError
        return body[start : start + length]

    async def delete(self, upload_id: str) -> None:
        await asyncio.sleep(0)
        self.files.pop(upload_id, None)


class MemorySender:
    """Acknowledges every export, but for those to a destination in `failures`, which fail as it says."""

    def __init__(self) -> None:
        self.sent: list[Export] = []
        self.failures: dict[str, Callable[[str], SendError]] = {}
        self.hubs: dict[str, tuple[str, ...]] = {}
        """The partitions of a destination's hub; another one has the single partition 0."""
        self.failing: dict[tuple[str, str], Callable[[str], SendError]] = {}
        """As `failures`, of one partition of a destination."""
        self.throttled = False
        """Whether hubs take each export only after they have asked for patience."""

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        acknowledged: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        destination = export.destination
        partitions = self.partitions(destination)
        partition = partitions[partition_of(export.profile_id, len(partitions))]
        if failure := self.failures.get(destination.id) or self.failing.get((destination.id, partition)):
            acknowledged.set_exception(failure(destination.id))
        else:
            self.sent.append(export)
            acknowledged.set_result(Acknowledgement(partition, self.throttled))
        return acknowledged

    def flush(self) -> None:
        return

    def partitions(self, destination: Destination) -> tuple[str, ...]:
        return self.hubs.get(destination.id, ("0",))


class MemoryAudit:
    def __init__(self) -> None:
        self.entries: dict[str, AuditEntry] = {}

    async def begin(self, entry: AuditEntry) -> None:
        entry.id = f"{10**17 - entry.at:018}-{len(self.entries):08}"
        self.entries[entry.id] = replace(entry)

    async def end(self, entry: AuditEntry) -> None:
        self.entries[entry.id] = replace(entry)

    async def newest_first(self, limit: int, before: str = "") -> list[AuditEntry]:
        return [self.entries[key] for key in sorted(self.entries) if key > before][:limit]


class ScriptedVerifier:
    """Finds each hub as `found` says, by its name, and the namespace's as `hubs` does."""

    def __init__(self) -> None:
        self.found: dict[str, Verified | ConnectionProblem] = {}
        self.hubs: tuple[str, ...] | ConnectionProblem = ()
        self.asked: list[tuple[Credentials, str]] = []

    async def verify(self, credentials: Credentials, event_hub_name: str) -> Verified | ConnectionProblem:
        await asyncio.sleep(0)
        self.asked.append((credentials, event_hub_name))
        return self.found.get(event_hub_name, ConnectionProblem("unknown-hub", f"there is no {event_hub_name}"))

    async def list_hubs(self, credentials: Credentials) -> tuple[str, ...] | ConnectionProblem:
        await asyncio.sleep(0)
        return self.hubs


class MemoryCheckpoints:
    """The blobs of each container, by its URL; `failures` are raised in place of an answer."""

    def __init__(self) -> None:
        self.containers: dict[str, list[Checkpoint]] = {}
        self.failures: dict[str, ConsumerLagError] = {}
        self.asked: list[str] = []

    async def read(self, container_url: str, namespace: str, hub: str) -> list[Checkpoint]:
        await asyncio.sleep(0)
        self.asked.append(container_url)
        if container_url in self.failures:
            raise self.failures[container_url]
        if container_url not in self.containers:
            raise ConsumerLagError("not-found", f"{container_url}: there is no container of this name in the account")
        checkpoints = self.containers[container_url]
        wanted = host_of(namespace), hub.lower()
        return [each for each in checkpoints if (host_of(each.namespace), each.hub) == wanted] or checkpoints


class ScriptedHubProperties:
    """Finds each hub as `hubs` says, by its name."""

    def __init__(self) -> None:
        self.hubs: dict[str, HubEnds] = {}

    async def ends(self, destination: Destination) -> HubEnds:
        await asyncio.sleep(0)
        hub = destination.event_hub_name
        if hub not in self.hubs:
            raise ConsumerLagError("hub", f"hub {hub}: its partitions could not be looked at: there is none")
        return self.hubs[hub]


class MemoryConsumerLags:
    def __init__(self) -> None:
        self.looks: dict[str, LagLook] = {}
        self.requests = 0

    async def all(self) -> dict[str, LagLook]:
        await self._answer()
        return deepcopy(self.looks)

    async def load(self, destination_id: str) -> LagLook | None:
        await self._answer()
        return deepcopy(self.looks.get(destination_id))

    async def put(self, destination_id: str, look: LagLook) -> None:
        await self._answer()
        self.looks[destination_id] = deepcopy(look)

    async def delete(self, destination_id: str) -> None:
        await self._answer()
        self.looks.pop(destination_id, None)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        self.requests += 1


class MemorySecrets:
    """Fails as `failure` says, if there is one. `ends`: when secrets expire, by name."""

    writable = True

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.ends: dict[str, int] = {}
        self.reads = 0
        self.failure: Exception | None = None
        self._versions = count(1)

    async def store(self, name: str, value: str) -> str:
        await self._answer()
        version = f"{next(self._versions):032x}"
        self.secrets.setdefault(name, {})[version] = value
        return version

    async def read(self, name: str, version: str | None = None) -> str:
        self.reads += 1
        await self._answer()
        versions = self.secrets.get(name, {})
        wanted = version or next(reversed(versions), "")
        if wanted not in versions:
            raise SecretError(f"there is no version {version} of secret {name}")
        return versions[wanted]

    async def expires_at(self, name: str, version: str | None = None) -> int | None:
        await self.read(name, version)
        return self.ends.get(name)

    async def delete(self, name: str) -> None:
        await self._answer()
        self.secrets.pop(name, None)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


class MemoryRuns:
    """Fails as `failure` says, if there is one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, str], str] = {}
        self.failure: Exception | None = None

    async def put(self, destination_id: str, slot: RunSlot, instance: str) -> None:
        document = json.dumps(slot.counts.to_document())
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.rows[destination_id, slot.start, instance] = document

    async def read(self, destination_id: str, since: int, until: int) -> list[RunSlot]:
        await asyncio.sleep(0)
        return [
            RunSlot(start, RunCounts.from_document(json.loads(document)))
            for (owner, start, _), document in self.rows.items()
            if owner == destination_id and since <= start < until
        ]

    async def forget(self, before: int) -> int:
        await asyncio.sleep(0)
        outdated = [key for key in self.rows if key[1] < before - before % DAY]
        for key in outdated:
            del self.rows[key]
        return len(outdated)


class MemoryAudienceCounts:
    def __init__(self) -> None:
        self.rows: dict[int, CountedAudiences] = {}

    async def put(self, counted: CountedAudiences) -> None:
        await asyncio.sleep(0)
        self.rows[counted.at] = deepcopy(counted)

    async def since(self, at: int) -> list[CountedAudiences]:
        await asyncio.sleep(0)
        return [deepcopy(self.rows[each]) for each in sorted(self.rows) if each >= at]

    async def forget(self, before: int) -> None:
        await asyncio.sleep(0)
        self.rows = {at: counted for at, counted in self.rows.items() if at >= before}


class MemoryLastExports:
    """Fails as `failure` says, if there is one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], InstanceExports] = {}
        self.puts = 0
        self.failure: Exception | None = None
        self._etags = count(1)

    async def put(self, destination_id: str, instance: str, exports: Sequence[SentExport]) -> None:
        await self._answer()
        self.puts += 1
        self._save(InstanceExports(destination_id, instance, list(exports), ""))

    async def of(self, destination_id: str) -> list[InstanceExports]:
        await self._answer()
        return [replace(row) for row in self.rows.values() if row.destination_id == destination_id]

    async def with_profile(self, profile_key: str) -> list[InstanceExports]:
        await self._answer()
        return self._having(lambda sent: sent.profile_key == profile_key)

    async def with_older(self, before: int) -> list[InstanceExports]:
        await self._answer()
        return self._having(lambda sent: sent.at < before)

    async def replace(self, row: InstanceExports) -> None:
        await self._answer()
        current = self.rows.get((row.destination_id, row.instance))
        if row.exports or current is not None:
            if current is None or current.etag != row.etag:
                raise ConflictError("somebody else saved the row first")
            self._save(row)

    def _save(self, row: InstanceExports) -> None:
        key = row.destination_id, row.instance
        if row.exports:
            self.rows[key] = replace(row, etag=f"etag-{next(self._etags)}")
        else:
            del self.rows[key]

    def _having(self, wanted: Callable[[SentExport], bool]) -> list[InstanceExports]:
        return [replace(row) for row in self.rows.values() if any(map(wanted, row.exports))]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


class MemoryMetrics:
    """`alerts` are those of the last time: destination, rule, and whether it is open."""

    def __init__(self) -> None:
        self.published: list[tuple[str, RunCounts]] = []
        self.alerts: list[tuple[str, str, bool]] = []
        self.crossings: Counter[tuple[AudienceKey, bool]] = Counter()
        self.members: dict[AudienceKey, int] = {}
        self.lags: dict[str, Mapping[str, tuple[int, float | None]]] = {}

    def publish_consumer_lags(self, destination_id: str, lags: Mapping[str, tuple[int, float | None]]) -> None:
        self.lags[destination_id] = lags

    def publish_crossings(self, crossings: Mapping[tuple[AudienceKey, bool], int]) -> None:
        self.crossings.update(crossings)

    def publish_members(self, members: Mapping[AudienceKey, int]) -> None:
        self.members = dict(members)

    def publish(self, destination_id: str, counts: RunCounts) -> None:
        self.published.append((destination_id, counts))

    def publish_alerts(self, alerts: Iterable[Alert]) -> None:
        self.alerts = [(alert.destination_id, alert.rule, not alert.resolved_at) for alert in alerts]


class MemoryAlertRows(Generic[Item]):
    """`before` runs ahead of each request, as somebody else's might; what it raises, the request does."""

    def __init__(self, before: Callable[[str], None]) -> None:
        self.rows: dict[str, Stored[Item]] = {}
        self._before = before
        self._etags = count(1)

    async def all(self) -> list[Stored[Item]]:
        await self._answer("all")
        return [replace(self.rows[key]) for key in sorted(self.rows)]

    async def load(self, key: str) -> Stored[Item] | None:
        await self._answer("load")
        return replace(self.rows[key]) if key in self.rows else None

    async def save(self, stored: Stored[Item]) -> None:
        await self._answer("save")
        self._require_unchanged(self.rows.get(stored.item.key), stored.etag)
        stored.etag = f"etag-{next(self._etags)}"
        self.rows[stored.item.key] = replace(stored)

    async def delete(self, stored: Stored[Item]) -> None:
        await self._answer("delete")
        if current := self.rows.get(stored.item.key):
            self._require_unchanged(current, stored.etag)
            del self.rows[stored.item.key]

    async def _answer(self, what: str) -> None:
        await asyncio.sleep(0)
        self._before(what)

    @staticmethod
    def _require_unchanged(current: Stored[Item] | None, etag: str | None) -> None:
        if etag != (current.etag if current else None):
            raise ConflictError("somebody else saved the row first")


class MemoryAlerts:
    """`before` runs ahead of each request, as `MemoryAlertRows` says."""

    def __init__(self) -> None:
        self.before: Callable[[str], None] = lambda what: None
        self.subscriptions: MemoryAlertRows[AlertSubscription] = MemoryAlertRows(self._before)
        self.alerts: MemoryAlertRows[Alert] = MemoryAlertRows(self._before)
        self.deliveries: MemoryAlertRows[AlertDelivery] = MemoryAlertRows(self._before)

    def _before(self, what: str) -> None:
        self.before(what)


class MemoryDeliveryQueue:
    """`waiting` are (pointer, delay), in the order put."""

    def __init__(self) -> None:
        self.waiting: list[tuple[DeliveryPointer, float]] = []

    async def put(self, pointer: DeliveryPointer, delay: float) -> None:
        self.waiting.append((pointer, delay))


class ScriptedWebhooks:
    """Answers as `answers` says, in turn, then that the event was taken."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[WebhookAnswer] = []

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> WebhookAnswer:
        await asyncio.sleep(0)
        self.posted.append((url, headers, body))
        return self.answers.pop(0) if self.answers else WebhookAnswer(204, None)
