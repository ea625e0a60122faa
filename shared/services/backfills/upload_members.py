"""The work of an upload: its lines become profile changes on the queue; then, if asked for, whoever it does not list
leaves the audience.

Everything put carries the upload's one time, so that a part done twice changes nothing (docs/rules.md,
"Any order gives the same state").
"""

from collections.abc import Awaitable
from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.backfills.backfill import Backfill, Slice
from shared.domain.backfills.csv_records import RECORD_LIMIT, CsvRecord
from shared.domain.backfills.upload import (
    UploadHeader,
    UploadLine,
    UploadOrder,
    UploadTally,
    exit_of,
    refresh_of,
    refreshed,
)
from shared.domain.instants import MINUTE, SECOND
from shared.domain.messages.batches import Message, MessageBatches
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile_key import INDEX_BUCKETS, position_of_key, profile_key
from shared.errors import UploadFileChangedError, UploadRefusedError
from shared.ports.backfills import BackfillStore
from shared.ports.members import MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.queues import ChangesQueue
from shared.ports.time import Clock
from shared.ports.uploads import UploadFiles
from shared.services.backfills.slices import Step
from shared.services.backfills.upload_cursor import Exits, Lines, Settling, parse_cursor

RECORDS_A_STEP = 1_000
MEMBERS_A_STEP = 100
WINDOW = 4 * RECORD_LIMIT
"""Bytes of the file that are read at once."""
SETTLES_IN = 10 * SECOND
SETTLES_AT_LAST = 10 * MINUTE
_LOOK_AGAIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadMembers:
    """Starts the work on slices."""

    files: UploadFiles
    changes: ChangesQueue
    profiles: ProfileStore
    members: MemberIndex
    backfills: BackfillStore
    clock: Clock

    def __call__(self, backfill: Backfill, part: Slice, /) -> "_Upload":
        if backfill.upload is None:
            raise ValueError(f"backfill {backfill.id}: it is no upload")
        return _Upload(self, backfill, backfill.upload, part)


class _Upload:
    def __init__(self, parts: UploadMembers, backfill: Backfill, order: UploadOrder, part: Slice) -> None:
        self._parts = parts
        self._id = backfill.id
        self._audience: AudienceKey = backfill.audiences[0][0]
        self._order = order
        self._at = parse_cursor(part.cursor) or (Exits(0) if order.refresh else None)
        self._tally = UploadTally.from_text(part.tally)
        self._file = _FileWindow(parts.files, backfill.id, order)

    async def step(self) -> Step:
        try:
            step = await self._next_step()
        except (UploadFileChangedError, UploadRefusedError) as error:
            return Step(failed=str(error))
        return replace(step, cursor=str(self._at or ""), tally=self._tally.to_text())

    def _next_step(self) -> Awaitable[Step]:
        match self._at:
            case Settling() as at:
                return self._settle(at)
            case Exits() as at:
                return self._exits(at)
            case at:
                return self._lines(at)

    async def _lines(self, at: Lines | None) -> Step:
        """As many lines as fill one message: all but the last of a window are full."""
        header = await self._file.header()
        reader = self._order.reader(header, at.place if at else None)
        data, complete = await self._file.behind(reader.place.offset)
        batches, full = MessageBatches(), None
        tally, read = self._tally, 0
        before = reader.place
        for record in reader.read(data, complete=complete):
            taken, full = self._take(record, header, tally, batches)
            if full:
                reader.place = before  # the record did not fit: it begins the next message
                break
            tally, before, read = taken, reader.place, read + 1
            if read == RECORDS_A_STEP:
                break
        message = full or batches.flush()
        if message:
            await self._parts.changes.put(message.text.encode())
        self._tally = tally
        ended = reader.place.offset >= self._order.size
        self._at = Lines(reader.place)
        if ended:
            self._leave_the_lines()
        share = reader.place.offset / self._order.size / (2 if self._order.replace else 1)
        return Step(share=1.0 if self._at is None else share, members=read, exported=message.changes if message else 0)

    def _take(
        self, record: CsvRecord, header: UploadHeader, tally: UploadTally, batches: MessageBatches
    ) -> tuple[UploadTally, Message | None]:
        try:
            line = UploadLine.of(record, header.columns)
        except ValueError as error:
            return tally.with_bad(record.line, str(error)), None
        full = batches.add(record.line, line.change(self._audience, self._order.time))
        return replace(tally, accepted=tally.accepted + 1, last_key=profile_key(line.profile_id)), full

    def _leave_the_lines(self) -> None:
        if self._order.exits_called_for(self._tally) and self._tally.last_key:
            self._at = Settling(self._parts.clock())
        else:
            self._settled()

    def _settled(self) -> None:
        """Nothing of any profile is kept longer than it is needed, not even the hash of an id."""
        self._at = Exits(0) if self._order.exits_called_for(self._tally) else None
        self._tally = replace(self._tally, last_key="")

    async def _settle(self, at: Settling) -> Step:
        """Wait until the lines have been handled, as far as the last one tells.

        An exit beside a line that waits does no harm to the state, but destinations would hear of an exit and of an
        entry. After ten minutes it goes on all the same: the last line's message may have gone elsewhere.
        """
        now = self._parts.clock()
        profile = await self._parts.profiles.find(self._tally.last_key)
        handled = profile is not None and self._written(profile) >= self._order.time
        if handled and not at.handled:
            self._at = Settling(at.since, now)
        elif (at.handled and now - at.handled >= SETTLES_IN) or now - at.since >= SETTLES_AT_LAST:
            self._settled()
            return Step(share=0.5)
        return Step(share=0.5, pause=_LOOK_AGAIN)

    def _written(self, profile: StoredProfile) -> int:
        """When the profile's membership was last written, or the profile was deleted."""
        membership = profile.state.memberships.get(self._audience)
        deletion = profile.state.deletion
        return max(membership.time if membership else 0, deletion.at if deletion else 0)

    async def _exits(self, at: Exits) -> Step:
        """The next members as the index lists them: whoever was last written before the upload leaves, or is refreshed
        where that was asked for.
        """
        if await self._ended():
            return Step(hold="it has ended")
        rows = await self._parts.members.page(self._audience, at.bucket, at.key, MEMBERS_A_STEP)
        found = await all_of(self._parts.profiles.find(row.key) for row in rows)
        changes = [change for profile in found if profile and (change := self._change_of(profile))]
        batches = MessageBatches()
        for number, change in enumerate(changes):
            if full := batches.add(number, change):
                await self._parts.changes.put(full.text.encode())
        if rest := batches.flush():
            await self._parts.changes.put(rest.text.encode())
        self._tally = (
            replace(self._tally, accepted=self._tally.accepted + len(changes))
            if self._order.refresh
            else replace(self._tally, exits=self._tally.exits + len(changes))
        )
        if len(rows) == MEMBERS_A_STEP:
            self._at = Exits(at.bucket, rows[-1].key)
        else:
            self._at = Exits(at.bucket + 1) if at.bucket + 1 < INDEX_BUCKETS else None
        return Step(share=self._share_of_exits(), members=len(rows), exported=len(changes))

    def _change_of(self, profile: StoredProfile) -> str | None:
        membership, order = profile.state.memberships.get(self._audience), self._order
        if membership is None or not membership.realized or membership.time >= order.time:
            return None
        if not order.refresh:
            return exit_of(profile.state.profile_id, self._audience, order.time)
        done = refreshed(membership, order)
        return None if done else refresh_of(profile.state.profile_id, self._audience, membership, order)

    def _share_of_exits(self) -> float:
        if not isinstance(self._at, Exits):
            return 1.0
        within = position_of_key(self._at.key) if self._at.key else 0.0
        share = (self._at.bucket + within) / INDEX_BUCKETS
        return share if self._order.refresh else 0.5 + share / 2

    async def _ended(self) -> bool:
        """Whether somebody cancelled the upload: from then on nobody must leave, not even until the next checkpoint."""
        stored = await self._parts.backfills.load(self._id)
        return stored is None or stored.backfill.finished


class _FileWindow:
    """The part of an upload's file that is at hand."""

    def __init__(self, files: UploadFiles, upload_id: str, order: UploadOrder) -> None:
        self._files = files
        self._id = upload_id
        self._order = order
        self._header: UploadHeader | None = None
        self._start = 0
        self._data = b""

    async def header(self) -> UploadHeader:
        """Raises UploadFileChangedError, UploadRefusedError, StorageError."""
        if self._header is None:
            data, complete = await self.behind(0)
            self._header = UploadHeader.read(data, complete=complete, file_format=self._order.format)
        return self._header

    async def behind(self, offset: int) -> tuple[bytes, bool]:
        """The bytes from `offset` on, more than a record may have; and whether they are all there are.

        Raises UploadFileChangedError, StorageError.
        """
        end = self._start + len(self._data)
        if not (self._start <= offset and (offset + RECORD_LIMIT < end or end == self._order.size)):
            self._start = offset
            length = min(WINDOW, self._order.size - offset)
            self._data = await self._files.read(self._id, self._order.etag, offset, length) if length > 0 else b""
            end = offset + len(self._data)
        return self._data[offset - self._start :], end >= self._order.size
