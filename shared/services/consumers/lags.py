"""Looks how far the consumers of destinations' hubs are behind, and keeps what was seen last."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.configuration.model import Destination
from shared.domain.exports.lag import group_lags
from shared.domain.exports.lag_look import LagLook, enqueued, name_of, seen_after
from shared.domain.instants import MINUTE, SECOND, within
from shared.domain.profile_key import profile_key
from shared.errors import ConsumerLagError
from shared.ports.consumers import CheckpointReader, HubProperties, LagStore
from shared.ports.runs import MetricSink
from shared.ports.time import Clock
from shared.services.configuration.cache import ConfigurationCache

LOOK_EVERY = 5 * MINUTE
FRESH_FOR = 3 * LOOK_EVERY
"""So long what was seen counts for now."""
_MOST_IN_A_RUN = 20
_AT_ONCE = 4
_BEGIN_FOR = 20 * SECOND
"""So long a run of the timer begins to look at another hub: it has other things to do."""
_NOT_NAMED = (
    "the destination does not say where its consumers keep their checkpoints: name their blob container in its "
    "details, as consumerCheckpoints"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerLags:
    configuration: ConfigurationCache
    checkpoints: CheckpointReader
    hubs: HubProperties
    store: LagStore
    metrics: MetricSink
    clock: Clock

    async def watch(self) -> dict[str, str]:
        """Look at the hubs that nobody has looked at lately; what was wrong with each, or nothing, by destination.

        What is left goes first in the next run. Without a container that is named it asks nobody. Raises StorageError.
        """
        named = await self._named()
        if not named:
            return {}
        kept = await self.store.all()
        await all_of(self.store.delete(each) for each in kept.keys() - named.keys())
        began = self.clock()
        due = [each for each in named.values() if not _looked_at(kept.get(each.id), each, began, LOOK_EVERY)]
        due.sort(key=lambda each: kept[each.id].at if each.id in kept else 0)
        turns = asyncio.Semaphore(_AT_ONCE)
        problems: dict[str, str] = {}

        async def look_at(destination: Destination) -> None:
            async with turns:
                if not within(self.clock() - began, _BEGIN_FOR):
                    return
                look = await self._look(destination, kept.get(destination.id))
                await self.store.put(destination.id, look)
                problems[destination.id] = look.problem
                self._publish(destination.id, look)

        await all_of(look_at(each) for each in due[:_MOST_IN_A_RUN])
        return problems

    async def look(self, destination: Destination) -> LagLook:
        """How far they are right now. Raises StorageError."""
        if destination.consumer_checkpoints is None:
            return LagLook(self.clock(), "", kind="not-named", problem=_NOT_NAMED)
        return await self._look(destination, await self.store.load(destination.id))

    async def last(self, destination: Destination) -> LagLook:
        """How far they were at the last look, which is made now where there was none lately. Raises StorageError."""
        return await self.kept(destination) or await self.look(destination)

    async def kept(self, destination: Destination) -> LagLook | None:
        """The same, where there was a look lately, by one request to storage alone. Raises StorageError."""
        kept = await self.store.load(destination.id) if destination.consumer_checkpoints else None
        return kept if _looked_at(kept, destination, self.clock(), FRESH_FOR) else None

    async def shares_waited(self) -> Mapping[str, float | None]:
        """For how much of its hub's retention the oldest unread event of each destination that names a container has
        waited; None where that is not known. Raises StorageError.
        """
        named = await self._named()
        kept = await self._all_kept(named)
        return {
            each.id: kept[each.id].share_waited(each.retention_hours) if each.id in kept else None
            for each in named.values()
        }

    async def read_until(self, profile_id: str) -> dict[str, dict[str, int]]:
        """Up to when all that was exported of the profile was read, by destination and consumer group, as far as that
        is known (microseconds). Raises StorageError.
        """
        key = profile_key(profile_id)
        kept = await self._all_kept(await self._named())
        return {destination_id: look.all_read_until(key) for destination_id, look in kept.items()}

    async def _all_kept(self, named: Mapping[str, Destination]) -> dict[str, LagLook]:
        """What was seen lately of these."""
        kept = await self.store.all() if named else {}
        now = self.clock()
        return {
            each: look for each, look in kept.items() if each in named and _looked_at(look, named[each], now, FRESH_FOR)
        }

    async def _named(self) -> dict[str, Destination]:
        targets = (await self.configuration.current()).targets.by_id
        return {each.id: each.destination for each in targets.values() if each.destination.consumer_checkpoints}

    async def _look(self, destination: Destination, before: LagLook | None) -> LagLook:
        at, container = self.clock(), destination.consumer_checkpoints or ""
        look = LagLook(at, container) if before is None else replace(before, at=at, container=container, groups=[])
        look = replace(look, kind="", problem="")
        try:
            hub = await self.hubs.ends(destination)
            seen = seen_after(before, hub, at, destination.retention_hours)
            look = replace(look, hub=name_of(hub), seen=seen, enqueued_at=enqueued(hub))
            found = await self.checkpoints.read(container, hub.namespace, hub.hub)
            return replace(look, groups=group_lags(found, hub))
        except ConsumerLagError as error:
            return replace(look, kind=error.kind, problem=str(error))

    def _publish(self, destination_id: str, look: LagLook) -> None:
        lags = {}
        for group in look.groups:
            waited = look.waited(group)
            lags[group.group] = group.events, waited.known if waited else 0.0
        self.metrics.publish_consumer_lags(destination_id, lags)


def _looked_at(kept: LagLook | None, destination: Destination, now: int, lately: int) -> bool:
    """Whether somebody looked lately, into the container that is named now."""
    return kept is not None and kept.container == destination.consumer_checkpoints and within(now - kept.at, lately)
