"""Forgets a deleted profile: once every destination has heard of it, all that any table has of the profile goes."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import SECOND
from shared.domain.profile.deletion import Deletion, DeletionPhase
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import DELETION_RETENTION
from shared.errors import ConflictError
from shared.ports.members import Member, MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.quarantine import Quarantine
from shared.ports.time import Clock, Sleep
from shared.ports.undelivered import UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache
from shared.services.runs.last_exports import LastExports

_ATTEMPTS = 5
_BACKOFF_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetProfiles:
    profiles: ProfileStore
    members: MemberIndex
    undelivered: UndeliveredStore
    quarantine: Quarantine
    last_exports: LastExports
    configuration: ConfigurationCache
    clock: Clock
    sleep: Sleep

    async def proceed(self, key: str, acknowledged: Mapping[str, int]) -> None:
        """Take the deletion of the profile with this key as far as it can go by now; one that has ended stays so.

        `acknowledged`: destinations that have just taken an export of the profile since it was deleted, and its
        version. Whoever sends one calls this, and the daily sweep for whatever is left. Raises StorageError; calling
        again goes on.
        """
        for attempt in range(_ATTEMPTS):
            try:
                await self._proceed(key, acknowledged)
            except ConflictError:
                await self.sleep(_BACKOFF_SECONDS * (attempt + 1))
            else:
                return

    async def _proceed(self, key: str, acknowledged: Mapping[str, int]) -> None:
        profile = await self.profiles.find(key)
        deletion = profile.state.deletion if profile else None
        if profile is None or deletion is None:
            return
        if deletion.phase == DeletionPhase.LEAVING and not await self._may_leave(profile, deletion, acknowledged):
            return
        if deletion.phase != DeletionPhase.DONE:
            await self._clean(profile, deletion)

    async def _may_leave(self, profile: StoredProfile, deletion: Deletion, acknowledged: Mapping[str, int]) -> bool:
        """Whether every destination has heard of it, is gone, or had its 30 days. Says in the row who has not."""
        if self.clock() > deletion.saved_at * SECOND + DELETION_RETENTION:
            return True
        destinations = (await self.configuration.current()).targets.by_id.keys()
        failed = await all_of(self._failed(each, profile.key, acknowledged.get(each)) for each in destinations)
        owed = {each for each in deletion.owed if each in destinations and each not in acknowledged}
        owed |= {each for each, has_failed in zip(destinations, failed, strict=True) if has_failed}
        if owed and owed != set(deletion.owed):
            profile.state.deletion = replace(deletion, owed=tuple(sorted(owed)))
            await self.profiles.save(profile)
        return not owed

    async def _failed(self, destination_id: str, key: str, acknowledged: int | None) -> bool:
        """Whether an export to the destination waits to be sent; one that version `acknowledged` makes up for goes.

        Not one that is parked: a worker may count on the row to be there until it is redriven.
        """
        stored = await self.undelivered.load(destination_id, key)
        if stored is None:
            return False
        parked = stored.row.state == UndeliveredState.PARKED
        if parked or acknowledged is None or stored.row.version > acknowledged:
            return True
        await self.undelivered.delete(stored)
        return False

    async def _clean(self, profile: StoredProfile, deletion: Deletion) -> None:
        """Drop what the state has left, then what other tables have.

        An index row is read before the state, and deleted after the state is saved without the membership: whoever
        enters the audience meanwhile either lists the profile anew, so that the row is another, or cannot save and
        lists it again.
        """
        audiences = dict.fromkeys((*deletion.audiences, *profile.state.leftovers))
        rows = await self._rows(list(audiences), profile.key)
        current = await self.profiles.find(profile.key)
        if current is None or current.state.deletion != deletion:
            raise ConflictError("the profile was written meanwhile")
        if deletion.phase == DeletionPhase.LEAVING:
            current.state.drop_leftovers()
            current.state.next_version(self.clock())
        await self.profiles.save(current)
        gone = [(audience, row) for audience, row in rows if audience not in current.state.memberships]
        await all_of(self._delete_row(audience, row) for audience, row in gone)
        await self.quarantine.forget_profile(profile.key, deletion.saved_at * SECOND)
        if current.state.empty:
            await self._delete_undelivered(profile.key)
            await self.last_exports.forget_profile(profile.key)
        if current.state.deletion is not None:
            current.state.deletion = replace(current.state.deletion, phase=DeletionPhase.DONE, owed=(), audiences=())
            await self.profiles.save(current)

    async def _rows(self, audiences: list[AudienceKey], key: str) -> list[tuple[AudienceKey, Member]]:
        rows = await all_of(self.members.get(audience, key) for audience in audiences)
        return [(audience, row) for audience, row in zip(audiences, rows, strict=True) if row is not None]

    async def _delete_row(self, audience: AudienceKey, row: Member) -> None:
        with suppress(ConflictError):  # the profile has entered the audience again
            await self.members.delete(audience, row)

    async def _delete_undelivered(self, key: str) -> None:
        destinations = (await self.configuration.current()).targets.by_id.keys()
        rows = await all_of(self.undelivered.load(each, key) for each in destinations)
        await all_of(self.undelivered.delete(row) for row in rows if row is not None)
