"""What the services need to keep profiles."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.profile.state import ProfileState


@dataclass(slots=True)
class StoredProfile:
    """A profile as read or saved; `etag` is None where there is no row yet. `key` is the hash of its id.

    `saved_as` is the state as `save` last wrote it, for `restore`.
    """

    state: ProfileState
    etag: str | None
    key: str
    saved_as: bytes = field(default=b"", compare=False)


class ProfileStore(Protocol):
    buckets: int
    """Over how many buckets the profiles are spread."""

    async def load(self, profile_id: str) -> StoredProfile:
        """The profile's row, or a new state without an etag. Raises StorageError."""

    async def find(self, key: str) -> StoredProfile | None:
        """The profile whose id has this hash, if there is a row. A tombstone's state has no id. Raises StorageError."""

    def scan(self, bucket: int, after: str = "") -> AsyncIterator[StoredProfile]:
        """The rows of a bucket in the order of their keys, from behind the key `after` on. Raises StorageError."""

    def require_room(self, profile: StoredProfile) -> None:
        """Raises ProfileTooLargeError for a state that `save` would refuse before it asked the storage."""

    async def save(self, profile: StoredProfile) -> None:
        """Save the state if the row is still the one read, and take its new etag.

        Raises ConflictError if it is not, ProfileTooLargeError before anything is sent, StorageError otherwise.
        """

    def restore(self, profile_id: str, etag: str, saved_as: bytes) -> StoredProfile:
        """The profile as it was saved then; somebody may have saved it since, which its next `save` says."""

    async def delete(self, profile: StoredProfile) -> None:
        """Delete the row if it is still the one read; none is no error. Raises ConflictError if it is another."""
