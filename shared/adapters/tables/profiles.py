"""The Profiles table: one row a profile, its state as compressed JSON in binary properties."""

import contextlib
import importlib
import json
import zlib
from collections.abc import AsyncIterator, Sequence
from types import ModuleType

import orjson

from shared.adapters.tables.service.chunks import ROW_LIMIT, from_chunks, row_size, to_chunks
from shared.adapters.tables.service.table import Row, Table
from shared.domain.jsonvalue import json_bytes
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.errors import ProfileTooLargeError, RowTooLargeError, StorageError
from shared.ports.profiles import StoredProfile

fast_zlib: ModuleType = zlib
with contextlib.suppress(ImportError):  # it has no build for every machine
    fast_zlib = importlib.import_module("isal.isal_zlib")

FORMAT = 1
SIZE_LIMIT = ROW_LIMIT - 1024  # room for what the service adds to a row
_FAST_UP_TO = 128 * 1024
"""A longer row is compressed as well as it goes: what fits into a row is to go on fitting."""
_FAST = 1
_EXACT = b'{"orjson":1,'
"""What orjson wrote begins so. It writes no integers beyond 64 bits, which it would read as other numbers."""


def encode_state(state: ProfileState) -> bytes:
    """The state as its row holds it, for every release to read."""
    document = state.to_document()
    try:
        written = orjson.dumps({"orjson": 1, **document})
    except TypeError:
        written = json_bytes(document, sort_keys=False)
    encoded: bytes = fast_zlib.compress(written, _FAST)
    return encoded if len(encoded) <= _FAST_UP_TO else zlib.compress(written)


def decode_state(encoded: bytes, profile_id: str = "") -> ProfileState:
    """The state that `encode_state` wrote, of whichever release; `profile_id` is for tombstones, which know none."""
    written = fast_zlib.decompress(encoded)
    document = orjson.loads(written) if written.startswith(_EXACT) else json.loads(written)
    return ProfileState.from_document(document, profile_id)


class TableProfiles:
    """`tables` gives the table of each bucket: buckets may live in different storage accounts."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables
        self.buckets = len(tables)

    async def load(self, profile_id: str) -> StoredProfile:
        key = profile_key(profile_id)
        bucket = bucket_of_key(key, self.buckets)
        row = await self._tables[bucket].get(f"{bucket:04}", key)
        return StoredProfile(ProfileState(profile_id), None, key) if row is None else _from_row(row, profile_id)

    async def find(self, key: str) -> StoredProfile | None:
        bucket = bucket_of_key(key, self.buckets)
        row = await self._tables[bucket].get(f"{bucket:04}", key)
        return None if row is None else _from_row(row)

    async def scan(self, bucket: int, after: str = "") -> AsyncIterator[StoredProfile]:
        async for row in self._tables[bucket].partition(f"{bucket:04}", after=after):
            yield _from_row(row)

    def restore(self, profile_id: str, etag: str, saved_as: bytes) -> StoredProfile:
        return StoredProfile(decode_state(saved_as, profile_id), etag, profile_key(profile_id))

    def require_room(self, profile: StoredProfile) -> None:
        self._properties(profile, encode_state(profile.state))

    def _properties(self, profile: StoredProfile, state: bytes) -> dict[str, str | bytes | int]:
        bucket = bucket_of_key(profile.key, self.buckets)
        properties: dict[str, str | bytes | int] = {
            "PartitionKey": f"{bucket:04}",
            "RowKey": profile.key,
            "format": FORMAT,
            **to_chunks("state", state),
        }
        if (size := row_size(properties)) > SIZE_LIMIT:
            raise ProfileTooLargeError(size)
        return properties

    async def save(self, profile: StoredProfile) -> None:
        state = encode_state(profile.state)
        properties = self._properties(profile, state)
        table = self._tables[bucket_of_key(profile.key, self.buckets)]
        try:
            if profile.etag is None:
                profile.etag = await table.insert(properties)
            else:
                profile.etag = await table.replace(properties, profile.etag)
        except RowTooLargeError as error:  # Azurite counts otherwise than Azure, and takes less
            raise ProfileTooLargeError(row_size(properties)) from error
        profile.saved_as = state

    async def delete(self, profile: StoredProfile) -> None:
        bucket = bucket_of_key(profile.key, self.buckets)
        await self._tables[bucket].delete(f"{bucket:04}", profile.key, profile.etag)


def _from_row(row: Row, profile_id: str = "") -> StoredProfile:
    key, written_as = row.properties["RowKey"], row.properties["format"]
    if written_as != FORMAT:
        raise StorageError(
            f"table Profiles, row {key}: expected format {FORMAT}, got {written_as}: "
            "a newer release wrote it, so update this app"
        )
    return StoredProfile(decode_state(from_chunks("state", row.properties), profile_id), row.etag, key)
