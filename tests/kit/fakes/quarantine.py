"""The quarantine, in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from shared.adapters.tables.service.continuation import decode_token, encode_token
from shared.domain.instants import SECOND
from shared.domain.profile_key import profile_key
from shared.errors import (
    BadContinuationError,
)
from shared.ports.quarantine import QuarantinedEntry, QuarantinedItem, QuarantinePage, StoredQuarantinedItem


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
