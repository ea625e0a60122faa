"""The work of a sweep's slice: do to each profile what time has come for.

Uploaded memberships lapse, memberships that ended long ago are forgotten, deletions that wait go on, tombstones go. On
the way it is counted who is in which audience.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from shared.concurrency import all_of
from shared.domain.audiences.tally import Tally
from shared.domain.backfills.backfill import Backfill, Slice
from shared.domain.configuration.targets import Targets
from shared.domain.exports.expiry import expire, expires, lapsed_memberships
from shared.domain.exports.export import export_of
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile_key import INDEX_BUCKETS, position_of_key
from shared.errors import ConflictError, ProfileTooLargeError
from shared.ports.members import MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.time import Clock
from shared.services.backfills.slices import Step
from shared.services.changes.profile_writer import ProfileWriter
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.deliver import Delivered, Delivery
from shared.services.delivery.forget_profiles import ForgetProfiles
from shared.services.delivery.settle import SettleStreams

PROFILES_A_STEP = 100
_REASON = "audience"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProfiles:
    """Starts the work on slices."""

    profiles: ProfileStore
    members: MemberIndex
    configuration: ConfigurationCache
    writer: ProfileWriter
    delivery: Delivery
    settle: SettleStreams
    forget: ForgetProfiles
    clock: Clock

    def __call__(self, backfill: Backfill, part: Slice, /) -> "_SliceOfProfiles":
        return _SliceOfProfiles(self, backfill, part)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the slice a walk is: behind this key of this bucket. As a cursor: `<bucket>:<key>`."""

    bucket: int
    key: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}:{self.key}"


class _SliceOfProfiles:
    """Profile buckets are dealt out to the slices in turn, each the same number of them but for one."""

    def __init__(self, parts: SweepProfiles, backfill: Backfill, part: Slice) -> None:
        self._parts = parts
        self._item = backfill.id
        self._buckets = range(part.bucket, parts.profiles.buckets, INDEX_BUCKETS)
        bucket, _, key = part.cursor.partition(":")
        self._place = _Place(int(bucket), key) if bucket else _Place(part.bucket)
        self._walk = self._profiles(self._place)
        self._tally = Tally.of(part, backfill.requested_at)

    async def _profiles(self, start: _Place) -> AsyncIterator[tuple[_Place, StoredProfile | None]]:
        """Each profile behind `start` and where it is; None at the end of each bucket."""
        for bucket in self._buckets:
            if bucket < start.bucket:
                continue
            after = start.key if bucket == start.bucket else ""
            async for profile in self._parts.profiles.scan(bucket, after):
                yield _Place(bucket, profile.key), profile
            yield _Place(bucket + INDEX_BUCKETS), None

    async def step(self) -> Step:
        profiles: list[StoredProfile] = []
        for _ in range(PROFILES_A_STEP):
            if (found := await anext(self._walk, None)) is None:
                break
            self._place, profile = found
            if profile is not None:
                profiles.append(profile)
                self._tally.add(profile.state)
        snapshot = await self._parts.configuration.current()
        done = await all_of(self._look_after(profile, snapshot) for profile in profiles)
        ended = self._place.bucket not in self._buckets
        return Step(
            cursor="" if ended else str(self._place),
            share=1.0 if ended else self._share(),
            members=len(profiles),
            exported=sum(len(each.sent) for each in done),
            undelivered=sum(len(each.undelivered) for each in done),
            tally=self._tally.to_text(),
        )

    def _share(self) -> float:
        within = position_of_key(self._place.key) if self._place.key else 0.0
        return (self._buckets.index(self._place.bucket) + within) / len(self._buckets)

    async def _look_after(self, profile: StoredProfile, snapshot: ConfigurationSnapshot) -> Delivered:
        state, targets, now = profile.state, snapshot.targets, self._parts.clock()
        try:
            if state.deletion_outdated(now) and state.empty:
                await self._parts.profiles.delete(profile)
            elif state.deletion is not None and state.deletion.phase != DeletionPhase.DONE:
                return await self._go_on_deleting(profile, snapshot)
            elif expires(state, targets, self._item, now):
                return await self._expire(profile, targets, now)
        except (ConflictError, ProfileTooLargeError):
            pass  # it is written by others just now, or would grow too large: tomorrow's sweep finds it again
        return Delivered()

    async def _go_on_deleting(self, profile: StoredProfile, snapshot: ConfigurationSnapshot) -> Delivered:
        """Send the last exports again that nobody acknowledged: whoever had them to send may have died."""
        owed = profile.state.deletion.owed if profile.state.deletion else ()
        targets = [snapshot.targets.by_id[each] for each in owed if each in snapshot.targets.by_id]
        exports = [
            export_of(profile.state, target, snapshot.targets.catalog, [_REASON], self._parts.clock())
            for target in targets
            if target.dataflow.enabled
        ]
        delivered = await self._parts.delivery.finish(self._parts.delivery.begin(exports, snapshot))
        unsettled = await self._parts.settle.if_overtaken(delivered.sent)
        acknowledged = {export.destination.id: export.version for export in delivered.sent}
        await self._parts.forget.proceed(
            profile.key, {each: version for each, version in acknowledged.items() if each not in unsettled}
        )
        return delivered

    async def _expire(self, profile: StoredProfile, targets: Targets, now: int) -> Delivered:
        """Index rows of what is forgotten go too: read before the write and deleted after it, as when forgetting."""
        audiences = lapsed_memberships(profile.state, targets, now)
        rows = await all_of(self._parts.members.get(audience, profile.key) for audience in audiences)
        written = await self._parts.writer.write(
            profile.state.profile_id, lambda state, targets, now: expire(state, targets, self._item, now)
        )
        for audience, row in zip(audiences, rows, strict=True):
            if row is not None and written.result.altered and audience not in written.profile.state.memberships:
                with suppress(ConflictError):  # the profile has entered the audience again
                    await self._parts.members.delete(audience, row)
        return written.delivered
