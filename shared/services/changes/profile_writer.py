"""Writes a profile: decide, list it in the member index, save with what is due, send."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakValueDictionary

from shared.domain.configuration.targets import Targets
from shared.domain.exports.export import Export
from shared.domain.exports.transition import Transition
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from shared.errors import ConflictError, RelayError, StorageError
from shared.ports.members import MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.time import Clock, Sleep
from shared.ports.tracing import Origin
from shared.services.changes.recent_profiles import RecentProfiles
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.deliver import Delivered, Delivery

SAVE_ATTEMPTS = 10
STORAGE_ATTEMPTS = 3
DUE_KEPT_UNSETTLED = 32
_BACKOFF_SECONDS = 0.02

Act: TypeAlias = Callable[[ProfileState, Targets, int], Transition]
"""What to do to a profile at a time; it may be asked again, with the profile as it is by then."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the profile as it was saved, what followed, and what became of its exports."""

    profile: StoredProfile
    result: Transition
    delivered: Delivered

    @property
    def acknowledged(self) -> dict[str, int]:
        """The destinations that took the last export there was for them, and its version."""
        latest = {export.destination.id: export.version for export in self.result.exports}
        return {
            export.destination.id: export.version
            for export in self.delivered.sent
            if export.version == latest[export.destination.id]
        }


class ProfileWriter:
    def __init__(
        self,
        *,
        profiles: ProfileStore,
        members: MemberIndex,
        configuration: ConfigurationCache,
        delivery: Delivery,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._profiles = profiles
        self._members = members
        self._configuration = configuration
        self._delivery = delivery
        self._clock = clock
        self._sleep = sleep
        self._recent = RecentProfiles(profiles, clock)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(self, profile_id: str, act: Act, origin: Origin | None = None) -> Written:
        """Return once what `act` does is saved, and every export acknowledged or stored as undelivered.

        `origin` is of the message that calls for it, if one does.
        Raises ProfileTooLargeError, ConflictError when others keep saving the profile, StorageError; nothing was sent
        then, unless what could not be sent could not be stored either.
        """
        # The lock spares writes of this worker losing to each other; between workers the ETag decides.
        async with self._locks.setdefault(profile_id, asyncio.Lock()):
            profile, result, configuration = await self._save(profile_id, act)
            begun = self._delivery.begin(result.exports, configuration, origin)
        written = Written(profile, result, await self._delivery.finish(begun))
        await self._settle(profile, result.exports)
        return written

    async def _save(self, profile_id: str, act: Act) -> tuple[StoredProfile, Transition, ConfigurationSnapshot]:
        """Decide and save until nobody else saved in between; nothing was sent yet when the save says so.

        After a save of which nothing is known, reading again tells: what was saved is due by then.
        """
        key = profile_key(profile_id)
        recalled = self._recent.recall(profile_id, key)
        storage_failures, pause = 0, 0.0
        for attempt in range(SAVE_ATTEMPTS):
            if pause:
                await self._sleep(pause)
            profile = recalled or await self._profiles.load(profile_id)
            pause, recalled = 0.0 if recalled else _BACKOFF_SECONDS * (attempt + 1), None
            configuration = await self._configuration.current()
            now = self._clock()
            result = act(profile.state, configuration.targets, now)
            if not result.altered:
                return profile, result, configuration
            profile.state.forget_outdated(now)
            await self._list(key, result.entered)
            if not self._configuration.is_fresh(configuration):
                continue
            try:
                await self._profiles.save(profile)
            except ConflictError:
                self._recent.not_saved(key)
                continue
            except StorageError:
                self._recent.not_saved(key)
                storage_failures += 1
                if storage_failures == STORAGE_ATTEMPTS:
                    raise
                continue
            self._recent.saved(profile)
            return profile, result, configuration
        raise ConflictError(
            f"a profile was saved by others {SAVE_ATTEMPTS} times in a row: the message waits for its redelivery"
        )

    async def _list(self, key: str, audiences: Sequence[AudienceKey]) -> None:
        """Ahead of each attempt to save, not once: a sweep that found the row of no use may have deleted it between."""
        await asyncio.gather(*(self._members.add(audience, key) for audience in dict.fromkeys(audiences)))

    async def _settle(self, profile: StoredProfile, exports: Sequence[Export]) -> None:
        """Forget what was due and is delivered, once so much piled up that the row of a busy profile would grow.

        Otherwise this needs no request: what is due goes with a later save, a day after. Losing a race here is fine.
        """
        due = profile.state.due
        if len(due) <= DUE_KEPT_UNSETTLED:
            return
        delivered = {export.destination.id: export.version for export in exports}
        unsettled = {
            item: entry
            for item, entry in due.items()
            if any(delivered.get(destination_id, -1) < entry.version for destination_id in entry.reasons)
        }
        if len(unsettled) == len(due):
            return
        profile.state.due = unsettled
        try:
            await self._profiles.save(profile)
        except RelayError:
            return
        self._recent.saved(profile)
