"""What an app has stored, as text files that are kept: a file for each table, one for each queue.

Each line is a row, typed as Table Storage types it, or the text of a message.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azure.data.tables import EdmType, EntityProperty, TableServiceClient
from azure.storage.queue import QueueServiceClient

_MOST_MESSAGES = 32
_LEASE = 60


def keep(connection_string: str, directory: Path) -> None:
    """Write down every table and every queue of the account that is not empty."""
    with TableServiceClient.from_connection_string(connection_string) as tables:
        for name in sorted(table.name for table in tables.list_tables()):
            rows = tables.get_table_client(name).list_entities()
            _write(directory / "tables" / f"{name}.ndjson", (_plain(row) for row in rows))
    with QueueServiceClient.from_connection_string(connection_string) as queues:
        for name in sorted(queue.name or "" for queue in queues.list_queues()):
            with queues.get_queue_client(name) as queue:
                received = queue.receive_messages(messages_per_page=_MOST_MESSAGES, visibility_timeout=_LEASE)
                _write(directory / "queues" / f"{name}.ndjson", (message.content for message in received))


def restore(connection_string: str, directory: Path) -> None:
    """Make the tables of the account what `directory` holds; they are new. Queues are for the reader."""
    with TableServiceClient.from_connection_string(connection_string) as tables:
        for file in sorted((directory / "tables").glob("*.ndjson")):
            table = tables.create_table(file.stem)
            for row in lines(file):
                table.create_entity({name: _typed(value) for name, value in row.items()})


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _write(file: Path, values: Iterator[Any]) -> None:
    texts = [json.dumps(value, ensure_ascii=False, sort_keys=True) for value in values]
    if texts:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(texts) + "\n", encoding="utf-8")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, EntityProperty):
        return {str(value.edm_type).removeprefix("EdmType.").title(): str(value.value)}
    if isinstance(value, bytes):
        return {"Binary": base64.b64encode(value).decode()}
    if not isinstance(value, (str, int, float, bool)):
        raise TypeError(f"a column of the type {type(value).__name__}: teach tests/kit/stored.py to keep it")
    return value


def _typed(value: Any) -> Any:
    match value:
        case {"Int64": text}:
            return EntityProperty(int(text), EdmType.INT64)
        case {"Binary": text}:
            return base64.b64decode(text)
        case _:
            return value
