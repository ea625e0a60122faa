"""The AudienceMembers table: one row for each profile and audience; there is nothing in it but the keys.

Rows of an audience lie in 16 partitions, named by a hash, for audience ids may hold characters that keys may not.
"""

import hashlib

from shared.adapters.tables.service.table import Row, Table
from shared.domain.instants import SECOND
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile_key import INDEX_BUCKETS, bucket_of_key
from shared.ports.members import Member

_COLUMNS = ["RowKey", "Timestamp"]


class TableMembers:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def add(self, audience: AudienceKey, key: str) -> None:
        await self._table.put({"PartitionKey": _partition_of(audience, key), "RowKey": key})

    async def get(self, audience: AudienceKey, key: str) -> Member | None:
        row = await self._table.get(_partition_of(audience, key), key)
        return _member(row) if row else None

    async def page(self, audience: AudienceKey, bucket: int, after: str, limit: int) -> list[Member]:
        rows: list[Member] = []
        async for row in self._table.partition(_partition(audience, bucket), _COLUMNS, after=after, most=limit):
            rows.append(_member(row))
            if len(rows) == limit:
                break
        return rows

    async def delete(self, audience: AudienceKey, member: Member) -> None:
        await self._table.delete(_partition_of(audience, member.key), member.key, member.etag)


def _partition(audience: AudienceKey, bucket: int) -> str:
    return f"{hashlib.sha256(chr(0).join(audience).encode()).hexdigest()[:32]}-{bucket:02}"


def _partition_of(audience: AudienceKey, key: str) -> str:
    return _partition(audience, bucket_of_key(key, INDEX_BUCKETS))


def _member(row: Row) -> Member:
    written_at = row.written_at.timestamp() if row.written_at else 0
    return Member(str(row.properties["RowKey"]), row.etag, int(written_at * SECOND))
