"""The last exports to each destination, for somebody to look at: a few from each instance, for an hour.

They are gathered in memory and saved with the counts. An instance saves what it remembers, so what is taken out of its
row may come back with its next save; that nothing older than an hour is ever saved is what ends it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from shared.concurrency import all_of
from shared.domain.exports.export import Export
from shared.domain.exports.sent_export import SentExport
from shared.domain.instants import MINUTE
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError
from shared.ports.last_exports import InstanceExports, LastExportsStore
from shared.ports.time import Clock

KEPT = 20
"""Of each destination and instance."""
SHOWN_FOR = 60 * MINUTE

_Added = tuple[int, str, int, int, tuple[str, ...], int, int]
"""As SentExport, but with the profile's id, which is hashed when it is saved: most are pushed out before."""


class LastExports:
    def __init__(self, store: LastExportsStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._added: dict[str, deque[_Added]] = {}
        self._kept: dict[str, deque[SentExport]] = {}
        self._unsaved: set[str] = set()
        self._turn = asyncio.Lock()

    def add(self, export: Export, at: int) -> None:
        """`export` was acknowledged at `at`. Part of every export's way, so it does next to nothing."""
        added = self._added.get(export.destination.id)
        if added is None:
            added = self._added[export.destination.id] = deque(maxlen=KEPT)
        added.append(
            (
                at,
                export.profile_id,
                export.version,
                export.config_revision,
                export.reasons,
                export.occurred_at,
                len(export.body),
            )
        )

    @property
    def unsaved(self) -> bool:
        """Whether there is something that could not be saved."""
        return bool(self._unsaved)

    async def save(self, instance: str) -> None:
        """Save what was added, as this instance's. Raises StorageError; what could not be saved is with the next."""
        async with self._turn:
            self._take_added()
            self._keep(lambda sent: self._recent(sent.at))
            self._unsaved &= self._kept.keys()
            saving = sorted(self._unsaved)
            await all_of(self._save(each, instance) for each in saving)

    async def _save(self, destination_id: str, instance: str) -> None:
        await self._store.put(destination_id, instance, list(self._kept[destination_id]))
        self._unsaved.discard(destination_id)

    def _take_added(self) -> None:
        added, self._added = self._added, {}
        for destination_id, exports in added.items():
            kept = self._kept.setdefault(destination_id, deque(maxlen=KEPT))
            kept.extend(
                SentExport(at, profile_key(profile_id), version, revision, reasons, occurred_at, size)
                for at, profile_id, version, revision, reasons, occurred_at, size in exports
            )
            self._unsaved.add(destination_id)

    def _keep(self, wanted: Callable[[SentExport], bool]) -> None:
        """In memory, those that are `wanted`."""
        kept = {each: deque(filter(wanted, exports), maxlen=KEPT) for each, exports in self._kept.items()}
        self._kept = {each: exports for each, exports in kept.items() if exports}

    def _recent(self, at: int) -> bool:
        return self._clock() - at < SHOWN_FOR

    async def of(self, destination_id: str) -> list[SentExport]:
        """The last KEPT of all instances, the latest first. Raises StorageError."""
        rows = await self._store.of(destination_id)
        recent = [sent for row in rows for sent in row.exports if self._recent(sent.at)]
        return sorted(recent, key=lambda sent: (sent.at, sent.version), reverse=True)[:KEPT]

    async def forget_profile(self, key: str) -> None:
        """Take the exports of the profile with this key out of all rows, and out of this instance's memory.

        Other instances may save theirs again until they are an hour old. Raises StorageError.
        """
        async with self._turn:  # what is being saved must not end after the row is read
            self._take_added()
            self._keep(lambda sent: sent.profile_key != key)
        await self._reduce(await self._store.with_profile(key), lambda sent: sent.profile_key != key)

    async def forget_outdated(self) -> None:
        """Take out of all rows what is older than an hour, whoever saved it. Raises StorageError."""
        rows = await self._store.with_older(self._clock() - SHOWN_FOR + 1)
        await self._reduce(rows, lambda sent: self._recent(sent.at))

    async def _reduce(self, rows: list[InstanceExports], wanted: Callable[[SentExport], bool]) -> None:
        await all_of(self._replace(replace(row, exports=list(filter(wanted, row.exports)))) for row in rows)

    async def _replace(self, row: InstanceExports) -> None:
        with suppress(ConflictError):  # its instance has saved it meanwhile
            await self._store.replace(row)
