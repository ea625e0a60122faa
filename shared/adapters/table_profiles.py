"""The Profiles table: one row a profile, its state as compressed JSON in binary properties."""

import json
import zlib
from collections.abc import Sequence

from shared.adapters.chunks import ROW_LIMIT, from_chunks, row_size, to_chunks
from shared.adapters.tables import Table
from shared.domain.profile_key import bucket_of, profile_key
from shared.domain.state import ProfileState
from shared.errors import ProfileTooLargeError, RowTooLargeError, StorageError
from shared.services.ports import StoredProfile

FORMAT = 1
SIZE_LIMIT = ROW_LIMIT - 1024  # room for what the service adds to a row


class TableProfiles:
    """`tables` gives the table of each bucket: buckets may live in different storage accounts."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables

    async def load(self, profile_id: str) -> StoredProfile:
        bucket, key = self._place(profile_id)
        row = await self._tables[bucket].get(f"{bucket:04}", key)
        if row is None:
            return StoredProfile(ProfileState(profile_id), None)
        if row.properties["format"] != FORMAT:
            raise StorageError(
                f"table Profiles, row {key}: expected format {FORMAT}, got {row.properties['format']}: "
                "a newer release wrote it, so update this app"
            )
        document = json.loads(zlib.decompress(from_chunks("state", row.properties)))
        return StoredProfile(ProfileState.from_document(document), row.etag)

    async def save(self, profile: StoredProfile) -> None:
        bucket, key = self._place(profile.state.profile_id)
        document = json.dumps(profile.state.to_document(), ensure_ascii=False, separators=(",", ":"))
        properties: dict[str, str | bytes | int] = {
            "PartitionKey": f"{bucket:04}",
            "RowKey": key,
            "format": FORMAT,
            **to_chunks("state", zlib.compress(document.encode())),
        }
        if (size := row_size(properties)) > SIZE_LIMIT:
            raise ProfileTooLargeError(size)
        table = self._tables[bucket]
        try:
            if profile.etag is None:
                profile.etag = await table.insert(properties)
            else:
                profile.etag = await table.replace(properties, profile.etag)
        except RowTooLargeError as error:  # Azurite counts otherwise than Azure, and takes less
            raise ProfileTooLargeError(size) from error

    def _place(self, profile_id: str) -> tuple[int, str]:
        return bucket_of(profile_id, len(self._tables)), profile_key(profile_id)
