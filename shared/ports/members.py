"""The index of who is in an audience."""

from dataclasses import dataclass
from typing import Protocol

from shared.domain.profile.memberships import AudienceKey


@dataclass(frozen=True, slots=True)
class Member:
    """An index row: a profile that may be in an audience. `written_at` (microseconds) is the storage's time."""

    key: str
    etag: str
    written_at: int


class MemberIndex(Protocol):
    """Which profiles have a membership in an audience, whatever its status.

    A profile is listed before its membership is saved, so the index may list more than there are, never fewer.
    """

    async def add(self, audience: AudienceKey, key: str) -> None:
        """List the profile, again if it is listed already: then its row is a new one. Raises StorageError."""

    async def get(self, audience: AudienceKey, key: str) -> Member | None:
        """The profile's row, if it is listed. Raises StorageError."""

    async def page(self, audience: AudienceKey, bucket: int, after: str, limit: int) -> list[Member]:
        """At most `limit` rows of a bucket by key, from behind `after` on; fewer only at the end. Raises StorageError.

        A profile's bucket is that of its key among `INDEX_BUCKETS`, the same in every audience.
        """

    async def delete(self, audience: AudienceKey, member: Member) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""
