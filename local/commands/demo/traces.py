"""Searches every table for what is left of a profile."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from azure.data.tables import TableServiceClient

from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key


@dataclass(frozen=True, slots=True)
class Trace:
    """A row that has something of the profile. `tombstone`: nothing but that it was deleted, and when."""

    table: str
    tombstone: bool = False


TOMBSTONE = Trace("Profiles", tombstone=True)


def counted(traces: Iterable[Trace]) -> str:
    """Such as `AudienceMembers (3 rows), Profiles (1 row)`."""
    counts = Counter(trace.table for trace in traces)
    rows = [f"{table} ({count} row{'s' if count > 1 else ''})" for table, count in sorted(counts.items())]
    return ", ".join(rows) or "no table"


class Search:
    """For a profile's id and its key, and for `personal` texts that no other profile has."""

    def __init__(self, storage_connection_string: str, profile_id: str, personal: Iterable[str]) -> None:
        self._storage = storage_connection_string
        self._personal = [profile_id, *personal]
        self._key = profile_key(profile_id)

    def traces(self) -> list[Trace]:
        """Every row of every table that has any of them, also within what is stored compressed."""
        with TableServiceClient.from_connection_string(self._storage, use_env_settings=False) as account:
            return [
                self._trace(table.name, row, content)
                for table in account.list_tables()
                for row in account.get_table_client(table.name).list_entities()
                if any(text in (content := _content(row)) for text in (self._key, *self._personal))
            ]

    def _trace(self, table: str, row: Mapping[str, Any], content: str) -> Trace:
        if table != TOMBSTONE.table or any(text in content for text in self._personal):
            return Trace(table)
        state = ProfileState.from_document(json.loads(_unpacked(row)))
        return Trace(table, state.empty and state.deletion is not None and state.deletion.phase == DeletionPhase.DONE)


def _content(row: Mapping[str, Any]) -> str:
    plain = [str(value) for value in row.values() if not isinstance(value, bytes)]
    return "\n".join([*plain, _unpacked(row)])


def _unpacked(row: Mapping[str, Any]) -> str:
    """The row's binary properties: the chunks of one value, compressed or not."""
    names = [name for name, value in row.items() if isinstance(value, bytes)]
    packed = b"".join(row[name] for name in sorted(names, key=lambda name: (len(name), name)))
    try:
        return zlib.decompress(packed).decode()
    except zlib.error:
        return packed.decode(errors="replace")
