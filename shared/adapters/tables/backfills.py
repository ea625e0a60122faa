"""The Backfills table: a row for each backfill in one partition, and a partition of its own for each one's slices."""

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from typing import Any

from azure.data.tables import EdmType, EntityProperty
from pydantic.alias_generators import to_camel

from shared.adapters.tables.previous_release import backfill_for_previous
from shared.adapters.tables.service.chunks import from_chunks, packed, to_chunks, unpacked
from shared.adapters.tables.service.table import Row, Table
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice
from shared.domain.backfills.resync import ResyncOrder
from shared.domain.backfills.upload import UploadOrder
from shared.ports.backfills import StoredBackfill, StoredSlice

_BACKFILLS = "backfills"
_KEY_DIGITS = 64
_SHORT = 8_000
"""Characters; a longer tally is packed."""
_WHOLE = "whole"


class TableBackfills:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def load(self, backfill_id: str) -> StoredBackfill | None:
        row = await self._table.get(_BACKFILLS, backfill_id)
        return _backfill(row) if row else None

    async def save(self, stored: StoredBackfill) -> None:
        properties = {"PartitionKey": _BACKFILLS, "RowKey": stored.backfill.id, **_properties(stored.backfill)}
        stored.etag = await self._save(properties, stored.etag)

    async def all(self) -> AsyncIterator[StoredBackfill]:
        found = [_backfill(row) async for row in self._table.partition(_BACKFILLS)]
        for stored in sorted(found, key=lambda each: each.backfill.requested_at):
            yield stored

    async def slices(self, backfill_id: str) -> list[StoredSlice]:
        return [_slice(row) async for row in self._table.partition(_slices_of(backfill_id))]

    async def load_slice(self, backfill_id: str, bucket: int) -> StoredSlice | None:
        row = await self._table.get(_slices_of(backfill_id), f"{bucket:02}")
        return _slice(row) if row else None

    async def save_slice(self, stored: StoredSlice) -> None:
        part = stored.slice
        keys = {"PartitionKey": _slices_of(part.backfill_id), "RowKey": f"{part.bucket:02}"}
        stored.etag = await self._save(keys | _properties(part), stored.etag)

    async def delete(self, backfill_id: str) -> None:
        for stored in await self.slices(backfill_id):
            await self._table.delete(_slices_of(backfill_id), f"{stored.slice.bucket:02}")
        await self._table.delete(_BACKFILLS, backfill_id)

    async def _save(self, properties: dict[str, Any], etag: str | None) -> str:
        return await (self._table.insert(properties) if etag is None else self._table.replace(properties, etag))


def _slices_of(backfill_id: str) -> str:
    return f"slices-{backfill_id}"


def _properties(row: Backfill | Slice) -> dict[str, Any]:
    values = _backfill_values(row) if isinstance(row, Backfill) else asdict(row)
    tally = values.pop("tally") if isinstance(row, Slice) and len(row.tally) > _SHORT else ""
    properties = {to_camel(name): _property(value) for name, value in values.items()}
    properties |= to_chunks("tally", packed(tally)) if tally else {}
    if isinstance(row, Backfill):
        properties |= to_chunks("audiences", zlib.compress(json.dumps(row.audiences).encode()))
        keys = row.resync.keys if row.resync else ()
        properties |= to_chunks("keys", bytes.fromhex("".join(keys))) if keys else {}
    return properties


def _backfill_values(row: Backfill) -> dict[str, Any]:
    """Without what has columns of another kind; `whole` has what the release before this one must see otherwise."""
    whole, for_previous = (
        asdict(each)
        | {
            "upload": json.dumps(each.upload.stored()) if each.upload else "",
            "resync": json.dumps(_without_keys(each.resync)) if each.resync else "",
        }
        for each in (row, backfill_for_previous(row))
    )
    del for_previous["audiences"]
    differing = {name: whole[name] for name, value in for_previous.items() if whole[name] != value}
    return for_previous | {_WHOLE: json.dumps(differing) if differing else ""}


def _without_keys(order: ResyncOrder) -> dict[str, Any]:
    return {name: value for name, value in asdict(order).items() if name != "keys"}


def _property(value: Any) -> Any:
    """Whole numbers as 64 bits: times need them, and a column has one type."""
    if isinstance(value, int) and not isinstance(value, bool):
        return EntityProperty(value, EdmType.INT64)
    return value


def _values(row: Row, kind: type[Backfill | Slice]) -> dict[str, Any]:
    """What the row has of the fields; a release that knows fewer leaves the others to their defaults."""
    columns = {field.name: to_camel(field.name) for field in fields(kind)}
    stored = {name: row.properties[column] for name, column in columns.items() if column in row.properties}
    return {name: value.value if isinstance(value, EntityProperty) else value for name, value in stored.items()}


def _backfill(row: Row) -> StoredBackfill:
    values = _values(row, Backfill) | json.loads(row.properties.get(_WHOLE) or "{}")
    stored = json.loads(zlib.decompress(from_chunks("audiences", row.properties)))
    audiences = tuple(((key[0], key[1]), since) for key, since in stored)
    kind, state = BackfillKind(values.pop("kind")), BackfillState(values.pop("state"))
    order = values.pop("upload", "")
    upload = UploadOrder(**json.loads(order)) if order else None
    asked = values.pop("resync", "")
    resync = ResyncOrder(**json.loads(asked), keys=_keys(row)) if asked else None
    backfill = Backfill(**values, kind=kind, state=state, audiences=audiences, upload=upload, resync=resync)
    return StoredBackfill(backfill, row.etag)


def _keys(row: Row) -> tuple[str, ...]:
    digits = from_chunks("keys", row.properties).hex()
    return tuple(digits[start : start + _KEY_DIGITS] for start in range(0, len(digits), _KEY_DIGITS))


def _slice(row: Row) -> StoredSlice:
    values = _values(row, Slice)
    if tally := from_chunks("tally", row.properties):
        values["tally"] = unpacked(tally)
    return StoredSlice(Slice(**values), row.etag)
