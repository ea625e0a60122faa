"""The work of a backfill's or a resync's slice: export the members of its audiences, each once, as they are now."""

from contextlib import suppress
from dataclasses import dataclass

from shared.concurrency import all_of
from shared.domain.backfills.backfill import Backfill, Slice, calls_for
from shared.domain.backfills.resync import ResyncOrder
from shared.domain.configuration.targets import Target
from shared.domain.exports.decision import BACKFILL, RESYNC
from shared.domain.exports.export import Export, export_of
from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import MINUTE, SECOND
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile_key import INDEX_BUCKETS, bucket_of_key, position_of_key
from shared.errors import ConflictError
from shared.ports.members import MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.time import Clock
from shared.services.backfills.member_merge import Listed, MemberMerge
from shared.services.backfills.slices import BUDGET_SECONDS, Step
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.circuit_breakers import CircuitBreakers
from shared.services.delivery.deliver import Delivered, Delivery
from shared.services.delivery.forget_profiles import ForgetProfiles
from shared.services.delivery.settle import SettleStreams

MEMBERS_A_STEP = 50
"""Their reads go out together: so many that no time is lost, so few that a live change beside them hardly waits."""
STALE_ROW_AGE = 60 * MINUTE
"""A younger row may be of a membership that is being saved just now."""
PAUSE_AFTER_FAILURE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillMembers:
    """Starts the work on slices."""

    profiles: ProfileStore
    members: MemberIndex
    configuration: ConfigurationCache
    delivery: Delivery
    settle: SettleStreams
    breakers: CircuitBreakers
    forget: ForgetProfiles
    clock: Clock

    def __call__(self, backfill: Backfill, part: Slice, /) -> "_SliceOfMembers":
        return _SliceOfMembers(self, backfill, part)


class _SliceOfMembers:
    def __init__(self, parts: BackfillMembers, backfill: Backfill, part: Slice) -> None:
        self._parts = parts
        self._backfill = backfill
        self._reason = BACKFILL if backfill.resync is None else RESYNC
        self._members = _members_of(parts.members, backfill, part)
        self._bounds = _bounds_of(backfill)
        self._began = parts.clock()
        self._taken = 0

    async def step(self) -> Step:
        snapshot = await self._parts.configuration.knowing(self._backfill.revision)
        target = snapshot.targets.by_id.get(self._backfill.destination_id)
        if target is None:
            return Step(hold="the destination has no dataflow")
        if hold := self._hold(target, snapshot):
            return Step(hold=hold)
        listed = await self._members.take(MEMBERS_A_STEP, self._still_to_come())
        if not listed:
            return Step()
        self._taken += len(listed)
        profiles = await all_of(self._parts.profiles.find(each.key) for each in listed)
        found = [profile for profile in profiles if profile]
        exports = self._exports(found, target, snapshot)
        begun = self._parts.delivery.begin(exports, snapshot)
        delivered = await self._parts.delivery.finish(begun)
        await self._parts.settle.if_overtaken(delivered.sent)
        await self._forget_the_deleted(found, delivered)
        await self._drop_stale_rows(listed, profiles)
        return Step(
            cursor=listed[-1].key,
            share=self._share_behind(listed[-1].key),
            members=len(listed),
            exported=len(delivered.sent),
            undelivered=len(delivered.undelivered),
            pause=PAUSE_AFTER_FAILURE if _may_get_better(delivered) else 0.0,
        )

    def _share_behind(self, key: str) -> float:
        first, last = self._bounds
        return (position_of_key(key) - first) / (last - first) if last > first else 1.0

    def _still_to_come(self) -> int:
        """How many members will be dealt with before the slice is passed on, if all goes on as before. Whoever has it
        then begins with a page of its own, so what was read beyond would have been read in vain.
        """
        spent = self._parts.clock() - self._began
        left = int(BUDGET_SECONDS * SECOND) - spent
        return max(MEMBERS_A_STEP, self._taken * left // max(1, spent))

    def _hold(self, target: Target, snapshot: ConfigurationSnapshot) -> str:
        """Why nothing can be exported now, if so. An outage must not fill a table with all the members there are."""
        if not target.dataflow.enabled:
            return "the dataflow is paused"
        if self._parts.breakers.open_since(target.id, snapshot) is not None:
            return "the destination is down"
        return ""

    def _exports(self, profiles: list[StoredProfile], target: Target, snapshot: ConfigurationSnapshot) -> list[Export]:
        now, catalog = self._parts.clock(), snapshot.targets.catalog
        return [
            export_of(profile.state, target, catalog, [self._reason], now)
            for profile in profiles
            if calls_for(self._backfill, profile.state, target)
        ]

    async def _forget_the_deleted(self, profiles: list[StoredProfile], delivered: Delivered) -> None:
        """A resumed destination may have been the last that had to hear of a deletion."""
        sent = {export.profile_id: export.version for export in delivered.sent}
        for profile in profiles:
            deletion = profile.state.deletion
            if deletion and deletion.phase == DeletionPhase.LEAVING and profile.state.profile_id in sent:
                acknowledged = {self._backfill.destination_id: sent[profile.state.profile_id]}
                await self._parts.forget.proceed(profile.key, acknowledged)

    async def _drop_stale_rows(self, listed: list[Listed], profiles: list[StoredProfile | None]) -> None:
        """Rows of memberships that no profile has: harmless, and of no use to the next backfill either."""
        youngest = self._parts.clock() - STALE_ROW_AGE
        for each, profile in zip(listed, profiles, strict=True):
            held = profile.state.memberships if profile else {}
            for audience, row in each.rows:
                if audience not in held and row.written_at < youngest:
                    with suppress(ConflictError):  # listed anew
                        await self._parts.members.delete(audience, row)


def _may_get_better(delivered: Delivered) -> bool:
    return any(state != UndeliveredState.DEAD for _, state in delivered.undelivered)


class _Named:
    """Profiles that were asked for by name, in place of those that the index lists."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = keys

    async def take(self, most: int, _ahead: int) -> list[Listed]:
        taken, self._keys = self._keys[:most], self._keys[most:]
        return [Listed(key) for key in taken]


def _members_of(index: MemberIndex, backfill: Backfill, part: Slice) -> MemberMerge | _Named:
    """The profiles of a slice from its cursor on."""
    order = backfill.resync or ResyncOrder("", "")
    if order.profiles:
        in_bucket = (key for key in order.keys if bucket_of_key(key, INDEX_BUCKETS) == part.bucket)
        return _Named([key for key in in_bucket if key > part.cursor])
    audiences = [audience for audience, _ in backfill.audiences]
    return MemberMerge(index, audiences, part.bucket, max(part.cursor, order.after), order.last)


def _bounds_of(backfill: Backfill) -> tuple[float, float]:
    """Where in the order of all keys the backfill begins and ends, from 0 to 1."""
    order = backfill.resync
    return (position_of_key(order.first), position_of_key(order.last)) if order and order.last else (0.0, 1.0)
