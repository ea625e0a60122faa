"""What the hubs hear, read all the while: at the end there would be too much to wait for."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from local.eventually import eventually
from local.exports import Export, ExportReader
from local.stack.local_stack import LocalStack
from tests.faults.resync.audience import AUDIENCE, NUMBER

_READ_WITHIN = 300.0


class Heard(NamedTuple):
    """An event, without what nobody asks for. `order`: the greater of two is the later state. `at`: when the hub had
    it, in seconds since the epoch. `status`: in AUDIENCE, None where the body has no such membership.
    """

    profile_id: str
    reasons: tuple[str, ...]
    order: tuple[int, int]
    at: float
    status: str | None
    number: int | None

    @classmethod
    def of(cls, export: Export) -> "Heard":
        memberships = export.body["segmentMembership"].get("ups", {})
        return cls(
            profile_id=export.properties["profileId"],
            reasons=tuple(export.properties["reason"].split(",")),
            order=(export.properties["profileVersion"], export.properties["configRevision"]),
            at=export.enqueued_time.timestamp(),
            status=memberships.get(AUDIENCE, {}).get("status"),
            number=export.body.get(NUMBER),
        )


class Hubs:
    """`heard`: the events of each hub, in the order in which they were read."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.heard: defaultdict[str, list[Heard]] = defaultdict(list)
        self._latest: defaultdict[str, dict[str, Heard]] = defaultdict(dict)
        self._reading: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator["Hubs"]:
        hubs = await asyncio.to_thread(self._stack.broker.hubs)
        async with ExportReader(self._stack.event_hubs_connection_string, hubs) as reader:
            reading = self._reading = asyncio.create_task(self._read(reader))
            try:
                yield self
            finally:
                reading.cancel()
                await asyncio.wait([reading])
                if not reading.cancelled():
                    reading.result()

    async def _read(self, reader: ExportReader) -> None:
        async for export in reader:
            event = Heard.of(export)
            self.heard[export.hub].append(event)
            known = self._latest[export.hub].get(event.profile_id)
            if known is None or event.order >= known.order:
                self._latest[export.hub][event.profile_id] = event

    async def all_read(self) -> None:
        """Return once everything is in `heard` that the hubs have."""

        async def all_there() -> bool:
            if self._reading is not None and self._reading.done():
                self._reading.result()
            stats = await asyncio.to_thread(self._stack.broker.stats)
            return all(hub.events == len(self.heard[name]) for name, hub in stats.hubs.items())

        await eventually(all_there, timeout=_READ_WITHIN)

    def latest(self, hub: str) -> dict[str, Heard]:
        """What a consumer keeps that goes by versions: the latest state of each profile."""
        return self._latest[hub]
