"""What is in quarantine: shown, and put back on the queue once the cause is mended."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from dataclasses import dataclass, replace

from shared.domain.messages.message import decode_message
from shared.domain.profile.change import InvalidChangeError
from shared.errors import MessageTooLargeError, NotInQuarantineError
from shared.ports.quarantine import Quarantine, QuarantinePage, StoredQuarantinedItem
from shared.ports.queues import ChangesQueue


@dataclass(frozen=True, slots=True)
class Replayed:
    """One row's outcome: `problem` says why it stays in quarantine, None that it is on the queue."""

    row_id: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayQuarantined:
    """An item comes back as a message of its own; if it cannot be taken still, it is quarantined under a new id."""

    quarantine: Quarantine
    changes: ChangesQueue

    async def quarantined(self, reason: str | None = None) -> AsyncIterator[StoredQuarantinedItem]:
        """What is in quarantine now, newest first; only what has `reason` within its reason. Raises StorageError."""
        async for stored in self.quarantine.newest_first():
            if reason is None or reason in stored.reason:
                yield stored

    async def page(
        self, reason: str | None = None, token: str | None = None, most: int = 100, code: str | None = None
    ) -> QuarantinePage:
        """The same page by page, without the bytes; a page may be short, even empty, though there is a next one.

        Raises BadContinuationError, StorageError.
        """
        return await self.quarantine.page(reason, token, most, code)

    async def get(self, row_id: str) -> StoredQuarantinedItem:
        """Raises NotInQuarantineError, StorageError."""
        stored = await self.quarantine.get(row_id)
        if stored is None:
            raise NotInQuarantineError(row_id)
        return stored

    async def drop(self, row_id: str) -> None:
        """Forget the item for good. Raises NotInQuarantineError, StorageError."""
        await self.get(row_id)
        await self.quarantine.delete(row_id)

    async def replay_one(self, row_id: str) -> None:
        """Raises NotInQuarantineError, MessageTooLargeError, and StorageError as `replay` does."""
        await self._put(await self.get(row_id))

    async def replay_edited(self, row_id: str, body: bytes, now: int) -> None:
        """Put `body` on the queue in the item's place, `now` being the clock in microseconds.

        Raises InvalidChangeError where it cannot be understood either, NotInQuarantineError, MessageTooLargeError:
        the item is then as before. Raises StorageError as `replay` does.
        """
        stored = await self.get(row_id)
        if rejected := decode_message(body, now).rejected:
            raise InvalidChangeError([each.reason for each in rejected])
        await self._put(replace(stored, raw=body))

    async def replay(self, row_ids: Iterable[str]) -> AsyncIterator[Replayed]:
        """Replay these rows, one after the other.

        Raises StorageError: the row it was at may then be on the queue and in quarantine, the later ones are as before.
        """
        for row_id in row_ids:
            yield await _outcome(row_id, self.replay_one(row_id))

    async def replay_all(self, reason: str | None = None) -> AsyncIterator[Replayed]:
        """Replay what `quarantined` finds: what comes back meanwhile is not replayed again. Raises as `replay` does."""
        async for stored in self.quarantined(reason):
            yield await _outcome(stored.row_id, self._put(stored))

    async def _put(self, stored: StoredQuarantinedItem) -> None:
        await self.changes.put(stored.raw)
        # Only now, so that a crash in between leaves the item twice, which does no harm, and not nowhere.
        await self.quarantine.delete(stored.row_id)


async def _outcome(row_id: str, replaying: Awaitable[None]) -> Replayed:
    try:
        await replaying
    except (NotInQuarantineError, MessageTooLargeError) as error:
        return Replayed(row_id, str(error))
    return Replayed(row_id)
