"""Uploads of an audience's members: created, written, committed; then carried out as a backfill is.

A small file is written by the app, a large one by the client, to the address that it is given.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState
from shared.domain.backfills.csv_records import RECORD_LIMIT
from shared.domain.backfills.upload import UploadFormat, UploadHeader, UploadOrder
from shared.domain.backfills.upload_view import Upload
from shared.domain.instants import DAY, SECOND, format_instant, parse_instant
from shared.domain.profile.memberships import AudienceKey
from shared.errors import (
    ConflictError,
    NoSuchUploadError,
    NotForUploadError,
    StorageError,
    UploadClosedError,
    UploadError,
    UploadFileMissingError,
    UploadRefusedError,
    UploadTooLargeError,
)
from shared.ports.backfills import BackfillStore, StoredBackfill
from shared.ports.configuration import ConfigurationStore
from shared.ports.time import Clock
from shared.ports.uploads import StoredFile, UploadFiles, WriteAccess
from shared.services.backfills.planner import PlanBackfills

MOST_POSTED_BYTES = 4 * 1024 * 1024
COMMITTED_WITHIN = DAY
_BEGINNING = RECORD_LIMIT + 1


@dataclass(frozen=True, slots=True)
class CreatedUpload:
    """`access` lets the client write the file; then it is to commit the upload."""

    upload: Upload
    access: WriteAccess


class AudienceUploads:
    """`url_seconds`: how long an address to write a file to can be used.

    Methods that take an upload's id raise NoSuchUploadError for one that there is not; all raise StorageError.
    """

    def __init__(
        self,
        *,
        store: ConfigurationStore,
        backfills: BackfillStore,
        plan: PlanBackfills,
        files: UploadFiles,
        clock: Clock,
        new_id: Callable[[], str],
        url_seconds: float,
    ) -> None:
        self._store = store
        self._backfills = backfills
        self._plan = plan
        self._files = files
        self._clock = clock
        self._new_id = new_id
        self._url_lifetime = int(url_seconds * SECOND)

    async def create(
        self, audience: AudienceKey, *, replace: bool = False, force: bool = False, file_format: UploadFormat = "csv"
    ) -> CreatedUpload:
        """A new upload, whose file is still to be written, at the address that it gives.

        `replace`: whoever the file does not list leaves the audience; `force`: even if it has bad lines.
        Raises NotForUploadError, and SettingError where no address can be signed.
        """
        await self._require_uploadable(audience)
        stored = self._new(
            audience, UploadOrder(replace, force, self._clock() + self._url_lifetime, format=file_format)
        )
        access = await self._files.grant(stored.backfill.id, self._clock() + self._url_lifetime)
        await self._backfills.save(stored)
        return CreatedUpload(Upload.of(stored.backfill), access)

    async def take(
        self,
        audience: AudienceKey,
        body: bytes,
        *,
        replace: bool = False,
        force: bool = False,
        file_format: UploadFormat = "csv",
    ) -> Upload:
        """A new upload of the file `body`, written and committed at once; nothing is left of one that is refused.

        Raises NotForUploadError, UploadTooLargeError, UploadRefusedError.
        """
        await self._require_uploadable(audience)
        _require_small(body)
        UploadHeader.read(body, complete=True, file_format=file_format)
        stored = self._new(audience, UploadOrder(replace, force, 0, format=file_format))
        await self._backfills.save(stored)
        await self._files.write(stored.backfill.id, body)
        return await self.commit(stored.backfill.id)

    async def refresh(self, audience: AudienceKey, valid_until: str | None = None) -> Upload:
        """Let those who are members now stay for longer: until `valid_until`, else as if they were uploaded now.

        Nobody is exported by it. Raises NotForUploadError, UploadRefusedError for a time that is over.
        """
        await self._require_uploadable(audience)
        now = self._clock()
        if valid_until is not None and parse_instant(valid_until) <= now:
            raise UploadRefusedError("validUntil: expected a time to come")
        order = UploadOrder(
            replace=False, force=False, writable_until=0, time=now, refresh=True, valid_until=valid_until or ""
        )
        stored = self._new(audience, order)
        stored.backfill = replace(stored.backfill, state=BackfillState.WAITING, due_at=now)
        await self._backfills.save(stored)
        with suppress(ConflictError, StorageError):  # the timer starts it
            await self._plan.start(stored)
        return await self._seen(stored.backfill)

    async def store(self, upload_id: str, body: bytes) -> None:
        """Write the file of an upload that was created. Raises UploadTooLargeError, UploadClosedError."""
        _require_small(body)
        self._require_open((await self._load(upload_id)).backfill)
        await self._files.write(upload_id, body)

    async def commit(self, upload_id: str) -> Upload:
        """Let the work on the file begin; it is to stay as it is now. A second commit answers as the first did.

        Raises UploadFileMissingError, UploadFileChangedError if it is being written just then, UploadRefusedError if it
        cannot be taken (then it can be written and
        committed again), UploadClosedError if the upload was cancelled or given up before.
        """
        stored = await self._load(upload_id)
        if _order(stored.backfill).time:
            return await self._seen(stored.backfill)
        self._require_open(stored.backfill)
        await self._require_uploadable(stored.backfill.audiences[0][0])
        file = await self._files.find(upload_id)
        if file is None:
            raise UploadFileMissingError(upload_id)
        await self._require_header(upload_id, file, _order(stored.backfill).format)
        now = self._clock()
        order = replace(_order(stored.backfill), time=now, size=file.size, etag=file.etag)
        stored.backfill = replace(stored.backfill, state=BackfillState.WAITING, due_at=now, upload=order)
        try:
            await self._backfills.save(stored)
        except ConflictError:  # committed or cancelled at the same moment
            return await self.commit(upload_id)
        with suppress(ConflictError, StorageError):  # the timer starts it
            await self._plan.start(stored)
        return await self._seen(stored.backfill)

    async def get(self, upload_id: str) -> Upload:
        """The upload as it is now."""
        return await self._seen((await self._load(upload_id)).backfill)

    async def list(self, audience: AudienceKey) -> list[Upload]:
        """Those of an audience, the oldest first; what ended over 30 days ago is not among them."""
        found = [
            stored.backfill
            async for stored in self._backfills.all()
            if stored.backfill.upload and stored.backfill.audiences[0][0] == audience
        ]
        return await all_of(self._seen(backfill) for backfill in found)

    async def cancel(self, upload_id: str) -> Upload:
        """End the upload and delete its file. Lines that are on the queue by then are handled all the same; nobody
        leaves the audience from now on. One that has ended stays as it is. Raises ConflictError when it changes at the
        same moment.
        """
        await self._load(upload_id)
        return await self._seen(await self._plan.cancel(upload_id))

    async def _require_uploadable(self, audience: AudienceKey) -> None:
        catalog = (await self._store.load()).configuration.audiences
        if not any(each.key == audience and each.origin == "custom-upload" for each in catalog):
            raise NotForUploadError(*audience)

    def _new(self, audience: AudienceKey, order: UploadOrder) -> StoredBackfill:
        now = self._clock()
        created = format_instant(now // SECOND * SECOND).replace(":", "")
        backfill = Backfill(
            id=f"upload-{created}-{self._new_id()[:8]}",
            kind=BackfillKind.UPLOAD,
            state=BackfillState.CREATED,
            requested_at=now,
            due_at=max(now + COMMITTED_WITHIN, order.writable_until),
            audiences=((audience, None),),
            upload=order,
        )
        return StoredBackfill(backfill, None)

    async def _load(self, upload_id: str) -> StoredBackfill:
        stored = await self._backfills.load(upload_id)
        if stored is None or stored.backfill.upload is None:
            raise NoSuchUploadError(upload_id)
        return stored

    async def _seen(self, backfill: Backfill) -> Upload:
        part = await self._backfills.load_slice(backfill.id, 0)
        return Upload.of(backfill, part.slice if part else None)

    async def _require_header(self, upload_id: str, file: StoredFile, file_format: UploadFormat) -> None:
        length = min(_BEGINNING, file.size)
        beginning = await self._files.read(upload_id, file.etag, 0, length) if length else b""
        UploadHeader.read(beginning, complete=length == file.size, file_format=file_format)

    @staticmethod
    def _require_open(backfill: Backfill) -> None:
        if backfill.state != BackfillState.CREATED:
            how = f"has ended ({backfill.note})" if backfill.finished else "was committed"
            raise UploadClosedError(f"upload {backfill.id!r} {how}: create another one")


def _require_small(body: bytes) -> None:
    if len(body) > MOST_POSTED_BYTES:
        raise UploadTooLargeError(len(body), MOST_POSTED_BYTES)


def _order(backfill: Backfill) -> UploadOrder:
    if backfill.upload is None:
        raise UploadError(f"backfill {backfill.id!r} is no upload")
    return backfill.upload
