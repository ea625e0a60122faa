"""Profiles and members of audiences, in memory."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import count

from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import INDEX_BUCKETS, bucket_of_key, profile_key
from shared.errors import (
    ConflictError,
    ProfileTooLargeError,
)
from shared.ports.members import Member
from shared.ports.profiles import StoredProfile


class MemoryProfiles:
    """`before_save` runs ahead of each save, as somebody else's request might."""

    buckets = 32

    def __init__(self, size_limit: int = 1_000_000) -> None:
        self.rows: dict[str, tuple[str, str]] = {}
        self.saves: list[ProfileState] = []
        self.before_save: Callable[[], None] | None = None
        self._size_limit = size_limit
        self._etags = count(1)

    async def load(self, profile_id: str) -> StoredProfile:
        await asyncio.sleep(0)
        key = profile_key(profile_id)
        return self._stored(key, profile_id) or StoredProfile(ProfileState(profile_id), None, key)

    async def find(self, key: str) -> StoredProfile | None:
        await asyncio.sleep(0)
        return self._stored(key)

    async def scan(self, bucket: int, after: str = "") -> AsyncIterator[StoredProfile]:
        for key in sorted(self.rows):
            if bucket_of_key(key, self.buckets) == bucket and key > after and (stored := self._stored(key)):
                yield stored

    async def delete(self, profile: StoredProfile) -> None:
        await asyncio.sleep(0)
        current = self.rows.get(profile.key)
        if current is not None and profile.etag != current[1]:
            raise ConflictError("somebody else saved the profile first")
        self.rows.pop(profile.key, None)

    def _stored(self, key: str, profile_id: str = "") -> StoredProfile | None:
        if key not in self.rows:
            return None
        document, etag = self.rows[key]
        return StoredProfile(ProfileState.from_document(json.loads(document), profile_id), etag, key)

    def restore(self, profile_id: str, etag: str, saved_as: bytes) -> StoredProfile:
        return StoredProfile(
            ProfileState.from_document(json.loads(saved_as), profile_id), etag, profile_key(profile_id)
        )

    def require_room(self, profile: StoredProfile) -> None:
        size = len(json.dumps(profile.state.to_document()))
        if size > self._size_limit:
            raise ProfileTooLargeError(size)

    async def save(self, profile: StoredProfile) -> None:
        if self.before_save is not None:
            self.before_save()
        await asyncio.sleep(0)
        self.require_room(profile)
        document = json.dumps(profile.state.to_document())
        current = self.rows.get(profile.key)
        if profile.etag != (current[1] if current else None):
            raise ConflictError("somebody else saved the profile first")
        profile.etag = f"etag-{next(self._etags)}"
        profile.saved_as = document.encode()
        self.rows[profile.key] = (document, profile.etag)
        self.saves.append(ProfileState.from_document(json.loads(document), profile.state.profile_id))


class MemoryMembers:
    """`clock` is the storage's own."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.rows: dict[tuple[AudienceKey, str], Member] = {}
        self._clock = clock
        self._etags = count(1)

    async def add(self, audience: AudienceKey, key: str) -> None:
        await asyncio.sleep(0)
        self.rows[audience, key] = Member(key, f"etag-{next(self._etags)}", self._clock())

    async def get(self, audience: AudienceKey, key: str) -> Member | None:
        await asyncio.sleep(0)
        return self.rows.get((audience, key))

    async def page(self, audience: AudienceKey, bucket: int, after: str, limit: int) -> list[Member]:
        await asyncio.sleep(0)
        keys = sorted(key for owner, key in self.rows if owner == audience and key > after)
        return [self.rows[audience, key] for key in keys if bucket_of_key(key, INDEX_BUCKETS) == bucket][:limit]

    async def delete(self, audience: AudienceKey, member: Member) -> None:
        await asyncio.sleep(0)
        current = self.rows.get((audience, member.key))
        if current is not None and current.etag != member.etag:
            raise ConflictError("the profile was listed anew")
        self.rows.pop((audience, member.key), None)
