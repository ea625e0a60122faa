"""One Event Hub: which partition a profile's exports go to, and over which of a few connections.

A profile's partition follows from its id and the number of partitions. Hubs are made anew with fewer, and they grow; so
what is known of the partitions is read again now and then, and at once where one of them is gone. When they have
changed, each lane ends the send that is under way, and what waits goes, in its order, where it belongs by now.
"""

import asyncio
from collections import deque
from contextvars import Context

from shared.adapters.event_hubs.batches import Waiting
from shared.adapters.event_hubs.hub_connection import BusyError, HubConnection, KeptAccess
from shared.adapters.event_hubs.lanes import Lane
from shared.adapters.event_hubs.partition_queue import Patience
from shared.concurrency import all_of
from shared.domain.exports.export import Export
from shared.domain.profile_key import partition_of
from shared.errors import SendError, ThrottledError
from shared.places import Places
from shared.ports.exports import Acknowledgement
from shared.ports.tracing import Tracing

_ASKED_AGAIN = 0.1
"""Where the partitions could not be read: after which share of the usual time they are asked for again."""


class Hub:
    """`connections`: how many it may have at most. `partitions_known_for` in seconds, and so is `send_timeout`.

    `openings`: see HubConnection. `used_at` is when something was last enqueued, on the event loop's clock.
    """

    def __init__(
        self,
        destination_id: str,
        access: KeptAccess,
        send_timeout: float,
        *,
        connections: int,
        partitions_known_for: float,
        patience: Patience,
        openings: Places,
        tracing: Tracing,
    ) -> None:
        self._destination_id = destination_id
        self._access = access
        self._send_timeout = send_timeout
        self._connections = connections
        self._partitions_known_for = partitions_known_for
        self._patience = patience
        self._openings = openings
        self._tracing = tracing
        self._outdated_at = 0.0
        self._busy_since: float | None = None
        self._lanes: list[Lane] = []
        self._lane_of: dict[str, Lane] = {}
        self._retired: list[Lane | HubConnection] = []
        self._unassigned: deque[Waiting] = deque()
        self._gone: dict[str, SendError] = {}
        self._learning: asyncio.Task[None] | None = None
        self.partitions: tuple[str, ...] = ()
        self.used_at = 0.0

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        """See ExportSender.enqueue."""
        loop = asyncio.get_running_loop()
        self.used_at = loop.time()
        acknowledged: asyncio.Future[Acknowledgement] = loop.create_future()
        waiting = Waiting(export, acknowledged, self.used_at, more_follow)
        outdated = self.used_at >= self._outdated_at
        if not self.partitions or self._unassigned or (outdated and self.idle):
            self._unassigned.append(waiting)
        else:
            self._assign(waiting)
        if outdated or not self.partitions:
            self._learn()
        return acknowledged

    @property
    def idle(self) -> bool:
        """Whether everything that was enqueued has ended."""
        return not self._unassigned and self._learning is None and all(lane.idle for lane in self._lanes)

    async def close(self) -> None:
        """Close the connections; whoever still waits is cancelled, also for a send that is under way."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.wait({self._learning})
        for waiting in self._unassigned:
            waiting.acknowledged.cancel()
        self._retired += self._lanes
        await self._close_retired()
        self._access.close()

    async def disconnect_unused_since(self, unused_since: float) -> None:
        """Close the connections of lanes that nothing was sent over since."""
        for lane in self._lanes:
            await lane.disconnect_if_unused_since(unused_since)

    def flush(self) -> None:
        """See ExportSender.flush."""
        for lane in self._lanes:
            lane.flush()

    def _assign(self, waiting: Waiting) -> None:
        partition = self.partitions[partition_of(waiting.export.profile_id, len(self.partitions))]
        self._lane_of[partition].add(partition, waiting)

    def _partition_gone(self, partition: str, error: SendError) -> None:
        self._gone[partition] = error
        self._learn()

    def _learn(self) -> None:
        if self._learning is None:
            self._learning = asyncio.get_running_loop().create_task(self._learnt(), context=Context())

    async def _learnt(self) -> None:
        """Read the partitions over a connection of their own, so that no lane waits for it."""
        connection = self._new_connection()
        self._retired.append(connection)
        known_for = self._partitions_known_for
        try:
            found = await self._read(connection)
            if found != self.partitions:
                await self._move_to(found, connection)
            self._give_up(None)
        except SendError as error:
            known_for *= _ASKED_AGAIN
            self._give_up(error)
        finally:
            self._outdated_at = asyncio.get_running_loop().time() + known_for
            self._learning = None
        self._assign_all()
        await self._close_retired()

    async def _read(self, connection: HubConnection) -> tuple[str, ...]:
        """Raises SendError; of a hub that is busy only once that has lasted."""
        while True:
            try:
                found = await connection.partitions()
            except BusyError as error:
                now, patience = asyncio.get_running_loop().time(), self._patience
                self._busy_since = self._busy_since or now
                if now + (pause := patience.pause()) >= self._busy_since + patience.throttled_after:
                    raise ThrottledError(self._destination_id, error.reason, code=error.code) from error
                await asyncio.sleep(pause)
            except SendError:
                raise
            except Exception as error:
                raise SendError(self._destination_id, repr(error)) from error
            else:
                self._busy_since = None
                return found

    async def _move_to(self, found: tuple[str, ...], connection: HubConnection) -> None:
        """Make lanes to these partitions, for what waits and whoever comes."""
        self.partitions = ()  # whoever comes meanwhile waits for the new lanes
        await all_of(lane.stop() for lane in self._lanes)
        # All at once, and only now: the hub may be closed meanwhile, and a lane find its partition gone as it ends.
        left = [waiting for lane in self._lanes for waiting in lane.take_all()]
        self._unassigned.extendleft(reversed(left))
        self._gone.clear()
        self._retired += self._lanes
        self._retired.remove(connection)
        self._make_lanes(found, connection)

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().close()

    def _make_lanes(self, found: tuple[str, ...], connection: HubConnection) -> None:
        """Over as few connections as are allowed; the one that the partitions were read by is the first."""
        number = min(self._connections, len(found))
        self._lanes, self._lane_of = [], {}
        for index in range(number):
            served = found[index::number]
            lane = Lane(
                self._destination_id,
                connection if index == 0 else self._new_connection(),
                served,
                gone=self._partition_gone,
                room=self._room,
                patience=self._patience,
                tracing=self._tracing,
            )
            self._lanes.append(lane)
            self._lane_of.update(dict.fromkeys(served, lane))
        self.partitions = found

    def _give_up(self, error: SendError | None) -> None:
        """Tell those who wait for partitions that are gone, or for the hub as a whole: `error`, if that is why."""
        gone, self._gone = self._gone, {}
        for partition, refusal in gone.items():
            self._lane_of[partition].give_up(partition, error or refusal)
        if error is not None and not self.partitions:
            while self._unassigned:
                self._unassigned.popleft().fail(error)

    def _assign_all(self) -> None:
        while self._unassigned and self.partitions:
            self._assign(self._unassigned.popleft())

    def _room(self, size: int) -> bool:
        return sum(lane.throttled_bytes for lane in self._lanes) + size <= self._patience.most_throttled

    def _new_connection(self) -> HubConnection:
        return HubConnection(self._destination_id, self._access, self._send_timeout, self._openings)
