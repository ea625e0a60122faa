"""Asks for a resync of a dataflow: once for each idempotency key, and never two of a dataflow at a time."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState
from shared.domain.backfills.resync import ResyncOrder
from shared.domain.configuration.model import Configuration
from shared.domain.instants import MINUTE
from shared.domain.messages.resync_item import MessageResync, OneAudience, ResyncRequest
from shared.errors import ConfigurationError, ConflictError, NoSuchBackfillError, ResyncRefusedError, StorageError
from shared.ports.backfills import BackfillStore, StoredBackfill
from shared.ports.configuration import ConfigurationStore
from shared.ports.time import Clock
from shared.services.backfills.planner import PlanBackfills

_DECIDED_WITHIN = MINUTE
"""A request that died on the way is cancelled after that, or taken up by the same one."""
_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class RequestedResync:
    """`created`: this very request made it; else it was there, for the same key or to be joined."""

    backfill: Backfill
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResync:
    store: ConfigurationStore
    backfills: BackfillStore
    plan: PlanBackfills
    clock: Clock
    new_id: Callable[[], str]

    async def by_message(self, asked: MessageResync, idempotency_key: str) -> bool:
        """As `request`, if the destination takes resyncs by message; the key is for one without its own. Whether it
        was created.
        """
        configuration = (await self.store.load()).configuration
        if not configuration.destination(asked.destination).resync_by_message:
            raise ConfigurationError("/resync/destination: expected one with resyncByMessage")
        asked = asked.model_copy(update={"idempotency_key": asked.idempotency_key or idempotency_key})
        return (await self.request(asked.destination, asked)).created

    async def request(self, destination_id: str, asked: ResyncRequest) -> RequestedResync:
        """The resync, which begins at once unless its dataflow is paused or its destination down.

        Raises NotConfiguredError where there is no dataflow, ConfigurationError for a scope that it has not,
        ResyncRefusedError while another one has not ended or for a key of another scope, StorageError, and
        ConflictError when somebody asks at the same moment.
        """
        wanted = self._wanted(destination_id, asked, (await self.store.load()).configuration)
        stored = await self.backfills.load(wanted.id)
        if stored is None:
            stored = StoredBackfill(wanted, None)
            await self.backfills.save(stored)
        elif _order(stored.backfill).fingerprint != _order(wanted).fingerprint:
            raise ResyncRefusedError(
                f"the idempotency key was used for the resync {wanted.id!r}, which has another scope: take another key"
            )
        elif stored.backfill.state != BackfillState.CREATED:
            return RequestedResync(await self._followed(stored.backfill), created=False)
        # Of two that ask at the same moment, at least one sees the other's row: both may be refused, never neither.
        others = await self._others(wanted)
        if others and asked.if_running != "replace":
            return await self._join(stored, others, asked)
        for other in others:
            with suppress(NoSuchBackfillError):
                await self.plan.cancel(other.id)
        return await self._begin(stored)

    async def _begin(self, stored: StoredBackfill) -> RequestedResync:
        stored.backfill = replace(stored.backfill, state=BackfillState.WAITING, due_at=self.clock())
        await self.backfills.save(stored)
        with suppress(ConflictError, StorageError):  # the timer starts it
            await self.plan.start(stored)
        return RequestedResync(stored.backfill, created=True)

    async def _join(self, stored: StoredBackfill, others: list[Backfill], asked: ResyncRequest) -> RequestedResync:
        """The running one in place of this one, if that may be. A key is kept: it means the same resync again."""
        order = _order(stored.backfill)
        same = [each for each in others if _order(each).fingerprint == order.fingerprint]
        if asked.if_running != "join" or not same:
            await self.backfills.delete(stored.backfill.id)
            raise ResyncRefusedError(
                f"the resync {others[0].id!r} of this dataflow has not ended: wait for it, cancel it, or ask with "
                "ifRunning join, if it has the same scope, or replace"
            )
        joined = same[0]
        if asked.idempotency_key is None:
            await self.backfills.delete(stored.backfill.id)
        else:
            stored.backfill = replace(
                stored.backfill,
                state=BackfillState.CANCELLED,
                finished_at=self.clock(),
                note=f"joined {joined.id}",
                resync=replace(order, keys=(), joined=joined.id),
            )
            await self.backfills.save(stored)
        return RequestedResync(joined, created=False)

    async def _followed(self, backfill: Backfill) -> Backfill:
        """The resync that this one was taken for, if it was and that is there still."""
        joined = _order(backfill).joined
        stored = await self.backfills.load(joined) if joined else None
        return stored.backfill if stored else backfill

    async def _others(self, wanted: Backfill) -> list[Backfill]:
        return [
            stored.backfill
            async for stored in self.backfills.all()
            if stored.backfill.kind == BackfillKind.RESYNC
            and stored.backfill.destination_id == wanted.destination_id
            and stored.backfill.id != wanted.id
            and not stored.backfill.finished
        ]

    def _wanted(self, destination_id: str, asked: ResyncRequest, configuration: Configuration) -> Backfill:
        mapped = [audience.key for audience in configuration.dataflow(destination_id).active_audiences]
        scope, now, key = asked.scope, self.clock(), asked.idempotency_key
        if isinstance(scope, OneAudience):
            if (scope.namespace, scope.id) not in mapped:
                raise ConfigurationError("/scope/id: expected an audience that the dataflow maps now")
            mapped = [(scope.namespace, scope.id)]
        if not mapped:
            raise ConfigurationError("/scope: expected a dataflow that maps an audience")
        try:
            order = ResyncOrder.of(scope)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        if order.since > now:
            raise ConfigurationError("/scope/since: expected a time that is over")
        name = self.new_id() if key is None else hashlib.sha256(key.encode()).hexdigest()
        return Backfill(
            id=f"{destination_id}-resync-{name[:_ID_LENGTH]}",
            kind=BackfillKind.RESYNC,
            state=BackfillState.CREATED,
            requested_at=now,
            due_at=now + _DECIDED_WITHIN,
            destination_id=destination_id,
            audiences=tuple((each, None) for each in mapped),
            revision=configuration.revision,
            resync=order,
        )


def _order(backfill: Backfill) -> ResyncOrder:
    if backfill.resync is None:
        raise ResyncRefusedError(f"{backfill.id!r} is no resync: take another idempotency key")
    return backfill.resync
