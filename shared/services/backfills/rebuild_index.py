"""Makes the member index from the profiles: after an upgrade from a release without one, or when rows were lost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from shared.concurrency import all_of
from shared.ports.members import MemberIndex
from shared.ports.profiles import ProfileStore, StoredProfile

_PROFILES_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How far it is."""

    buckets: int
    of_buckets: int
    profiles: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildIndex:
    """Only adds rows, so it may run while changes come in, more than once, and be ended half-way."""

    profiles: ProfileStore
    members: MemberIndex

    async def run(self, first_bucket: int = 0) -> AsyncIterator[Rebuilt]:
        """List every profile in each of its audiences; how far it is after each bucket. Raises StorageError."""
        profiles = rows = 0
        for bucket in range(first_bucket, self.profiles.buckets):
            batch: list[StoredProfile] = []
            async for profile in self.profiles.scan(bucket):
                profiles += 1
                batch.append(profile)
                if len(batch) == _PROFILES_AT_A_TIME:
                    rows += await self._list(batch)
                    batch = []
            rows += await self._list(batch)
            yield Rebuilt(bucket + 1, self.profiles.buckets, profiles, rows)

    async def _list(self, profiles: list[StoredProfile]) -> int:
        adding = [
            self.members.add(audience, profile.key) for profile in profiles for audience in profile.state.memberships
        ]
        await all_of(adding)
        return len(adding)
