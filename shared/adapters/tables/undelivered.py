"""The Undelivered table: one row for each destination and profile, spread over 16 partitions a destination."""

import json
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.tables.service.chunks import from_chunks, to_chunks
from shared.adapters.tables.service.table import Row, Table
from shared.domain.exports.redrive_slices import RedrivePart
from shared.domain.exports.undelivered import BUCKETS, Undelivered, UndeliveredState
from shared.domain.profile.audience_transitions import AudienceTransition, Transitions
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.ports.undelivered import StoredUndelivered, UndeliveredCount, UndeliveredPage, UndeliveredTally

_PAGE = 1_000
_PAGE_OF_A_PART = 250
"""A worker has two dozen slices in hand at a time."""
_REQUESTS_TO_COUNT = 32
_COUNTED = ["PartitionKey", "destinationId", "state", "code", "firstFailedAt", "lastFailedAt"]
_ERROR_LENGTH = 1_000


class TableUndelivered:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def load(self, destination_id: str, profile_key: str) -> StoredUndelivered | None:
        row = await self._table.get(_partition_key(destination_id, profile_key), profile_key)
        return _from_row(row) if row else None

    async def save(self, undelivered: StoredUndelivered) -> None:
        properties = _to_properties(undelivered.row)
        if undelivered.etag is None:
            undelivered.etag = await self._table.insert(properties)
        else:
            undelivered.etag = await self._table.replace(properties, undelivered.etag)

    async def delete(self, undelivered: StoredUndelivered) -> None:
        key = profile_key(undelivered.row.profile_id)
        await self._table.delete(_partition_key(undelivered.row.destination_id, key), key, undelivered.etag)

    async def of(self, destination_id: str) -> AsyncIterator[StoredUndelivered]:
        query, parameters = _query(destination_id)
        token = None
        while True:
            rows, token = await self._table.page(query, parameters, most=_PAGE, token=token)
            for row in rows:
                yield _from_row(row)
            if token is None:
                return

    async def part(self, destination_id: str, part: RedrivePart, after: str) -> AsyncIterator[StoredUndelivered]:
        partition = _bucket_key(destination_id, part.bucket)
        async for row in self._table.partition(partition, after=max(after, part.after), most=_PAGE_OF_A_PART):
            if row.properties["RowKey"] >= part.before:
                return
            yield _from_row(row)

    async def page(
        self,
        destination_id: str | None,
        state: UndeliveredState | None,
        token: str | None,
        most: int,
        code: str | None = None,
    ) -> UndeliveredPage:
        query, parameters = _query(destination_id, state, code)
        rows, following = await self._table.page(query, parameters, most=most, token=token)
        return UndeliveredPage([_from_row(row).row for row in rows], following)

    async def count(self, destination_id: str, most: int) -> UndeliveredCount:
        query, parameters = _query(destination_id)
        tally, token = UndeliveredTally(), None
        for _ in range(_REQUESTS_TO_COUNT):
            rows, token = await self._table.page(query, parameters, most=_PAGE, token=token, select=_COUNTED)
            for row in rows:
                _add(tally, row)
            if token is None or tally.total >= most:
                break
        return tally.count(complete=token is None)

    async def counts(self, most: int) -> dict[str, UndeliveredCount]:
        """A request for a thousand rows, and where nothing is undelivered one in all. Where a destination has `most`,
        the rest of each of its partitions is passed over, so that it holds nobody up.
        """
        tallies: defaultdict[str, UndeliveredTally] = defaultdict(UndeliveredTally)
        cut: set[str] = set()
        after, token = "", None
        while True:
            rows, token = await self._table.page(
                "PartitionKey gt @after", {"after": after}, most=_PAGE, token=token, select=_COUNTED
            )
            for row in rows:
                _add(tallies[row.properties["destinationId"]], row)
            if token is None:
                break
            if rows and tallies[last := rows[-1].properties["destinationId"]].total >= most:
                cut.add(last)
                after, token = rows[-1].properties["PartitionKey"], None
        return {key: tally.count(complete=key not in cut) for key, tally in tallies.items()}


def _add(tally: UndeliveredTally, row: Row) -> None:
    properties = row.properties
    tally.add(
        properties.get("code") or None,
        properties["state"],
        properties["firstFailedAt"].value,
        properties["lastFailedAt"].value,
    )


def _query(
    destination_id: str | None, state: UndeliveredState | None = None, code: str | None = None
) -> tuple[str, dict[str, str]]:
    """One range of partitions, for a request each would be many; partitions of other destinations may lie in it."""
    conditions, parameters = ["PartitionKey ge @first"], {"first": ""}
    if destination_id is not None:
        conditions += ["PartitionKey le @last", "destinationId eq @destination"]
        parameters |= {
            "first": _bucket_key(destination_id, 0),
            "last": _bucket_key(destination_id, BUCKETS - 1),
            "destination": destination_id,
        }
    if state is not None:
        conditions.append("state eq @state")
        parameters["state"] = str(state)
    if code is not None:
        conditions.append("code eq @code")
        parameters["code"] = code
    return " and ".join(conditions), parameters


def _partition_key(destination_id: str, key: str) -> str:
    return _bucket_key(destination_id, bucket_of_key(key, BUCKETS))


def _bucket_key(destination_id: str, bucket: int) -> str:
    return f"{destination_id}-{bucket:02}"


def _to_properties(row: Undelivered) -> dict[str, Any]:
    key = profile_key(row.profile_id)
    return {
        "PartitionKey": _partition_key(row.destination_id, key),
        "RowKey": key,
        "destinationId": row.destination_id,
        "profileId": row.profile_id,
        "state": str(row.state),
        "profileVersion": EntityProperty(row.version, EdmType.INT64),
        "reasons": ",".join(row.reasons),
        "occurredAt": EntityProperty(row.occurred_at, EdmType.INT64),
        "attempts": row.attempts,
        "firstFailedAt": EntityProperty(row.first_failed_at, EdmType.INT64),
        "lastFailedAt": EntityProperty(row.last_failed_at, EdmType.INT64),
        "lastError": row.last_error[:_ERROR_LENGTH],
        "permanent": row.permanent,
        "code": row.code or "",
        **_transition_properties(row),
    }


def _transition_properties(row: Undelivered) -> dict[str, Any]:
    """Only where there are any: most rows have none."""
    if not row.transitions:
        return {}
    packed = zlib.compress(json.dumps(row.transitions, ensure_ascii=False, separators=(",", ":")).encode())
    return {**to_chunks("transitions", packed), "omitted": row.omitted}


def _transitions_of(properties: Mapping[str, Any]) -> Transitions:
    packed = from_chunks("transitions", properties)
    return tuple(AudienceTransition(*each) for each in json.loads(zlib.decompress(packed))) if packed else ()


def _from_row(row: Row) -> StoredUndelivered:
    properties = row.properties
    undelivered = Undelivered(
        destination_id=properties["destinationId"],
        profile_id=properties["profileId"],
        state=UndeliveredState(properties["state"]),
        version=properties["profileVersion"].value,
        reasons=tuple(properties["reasons"].split(",")),
        occurred_at=properties["occurredAt"].value,
        attempts=properties["attempts"],
        first_failed_at=properties["firstFailedAt"].value,
        last_failed_at=properties["lastFailedAt"].value,
        last_error=properties["lastError"],
        permanent=properties["permanent"],
        code=properties.get("code") or None,
        transitions=_transitions_of(properties),
        omitted=properties.get("omitted", 0),
    )
    return StoredUndelivered(undelivered, row.etag)
