"""Profiles that were exported lately, for somebody who maps to see what they are like. Nothing is searched for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.concurrency import all_of
from shared.domain.configuration.model import Configuration
from shared.domain.profile.state import ProfileState
from shared.ports.profiles import ProfileStore
from shared.services.runs.last_exports import LastExports

LOOKED_AT = 10
"""Profiles: each is a request that somebody waits for."""
_OTHERS = 4


@dataclass(frozen=True, slots=True)
class RecentProfile:
    """`key` is the hash of its id."""

    key: str
    state: ProfileState


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentlyExported:
    """Both raise StorageError."""

    last: LastExports
    profiles: ProfileStore

    async def of(self, destination_id: str, configuration: Configuration) -> list[RecentProfile]:
        """The last to this destination, the latest first; before there are any, those to a few others. They are
        profiles of the same people, and who maps the first time needs them most.
        """
        keys = await self._keys([destination_id])
        if not keys:
            active = [each.id for each in configuration.dataflows if each.enabled and each.id != destination_id]
            keys = await self._keys(active[:_OTHERS])
        found = await all_of(self.find(key) for key in keys)
        return [each for each in found if each is not None]

    async def _keys(self, destination_ids: Iterable[str]) -> list[str]:
        sent = [each for exports in await all_of(map(self.last.of, destination_ids)) for each in exports]
        latest = sorted(sent, key=lambda each: each.at, reverse=True)
        return list(dict.fromkeys(each.profile_key for each in latest))[:LOOKED_AT]

    async def find(self, key: str) -> RecentProfile | None:
        """The profile as it is now; None where nothing is known of it any more."""
        profile = await self.profiles.find(key)
        if profile is None or (profile.state.deletion is not None and profile.state.empty):
            return None
        return RecentProfile(key, profile.state)
