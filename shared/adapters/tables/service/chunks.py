"""Bytes too long for one table property, spread over several; and what a row weighs as Azure counts it."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

CHUNK_BYTES = 64 * 1024
ROW_LIMIT = 1024 * 1024


def to_chunks(name: str, data: bytes) -> dict[str, bytes]:
    """`data` as properties `name0`, `name1`, …, each of at most 64 KiB."""
    if len(data) <= CHUNK_BYTES:
        return {f"{name}0": data}
    starts = range(0, len(data), CHUNK_BYTES)
    return {f"{name}{index}": data[start : start + CHUNK_BYTES] for index, start in enumerate(starts)}


def from_chunks(name: str, properties: Mapping[str, Any]) -> bytes:
    """The bytes that `to_chunks` spread."""
    chunks: list[bytes] = []
    while (chunk := properties.get(f"{name}{len(chunks)}")) is not None:
        chunks.append(chunk)
    return b"".join(chunks)


def packed(document: Any) -> bytes:
    """JSON in a fraction of its size."""
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def unpacked(data: bytes) -> Any:
    """What `packed` was given."""
    return json.loads(zlib.decompress(data))


def row_size(properties: Mapping[str, str | bytes | int]) -> int:
    """The bytes that Azure counts against the limit of 1 MiB a row (Azurite does not count)."""
    size = 4
    for name, value in properties.items():
        if name in {"PartitionKey", "RowKey"}:
            size += 2 * len(str(value))
        elif isinstance(value, bytes):
            size += 8 + 2 * len(name) + len(value) + 4
        elif isinstance(value, str):
            size += 8 + 2 * len(name) + len(value.encode("utf-16-le")) + 4
        else:
            size += 8 + 2 * len(name) + 8
    return size
