"""Rows as Table Storage writes them in JSON."""

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from azure.data.tables import EdmType, EntityProperty


def encoded(properties: Mapping[str, Any]) -> bytes:
    document: dict[str, Any] = {}
    for name, value in properties.items():
        if isinstance(value, bytes):
            document[f"{name}@odata.type"] = "Edm.Binary"
            document[name] = b2a_base64(value, newline=False).decode()
        elif isinstance(value, EntityProperty):
            if value.edm_type == EdmType.INT64:
                document[f"{name}@odata.type"] = "Edm.Int64"
                document[name] = str(value.value)
            else:
                document[name] = value.value
        else:
            document[name] = value
    try:
        return orjson.dumps(document)
    except TypeError:  # it takes no half of a surrogate pair, which the service may take
        return json.dumps(document, separators=(",", ":")).encode()


def decoded(entity: bytes) -> dict[str, Any]:
    """With "Timestamp" among them."""
    document: dict[str, Any] = orjson.loads(entity)
    properties: dict[str, Any] = {}
    for name, value in document.items():
        if "odata." in name:
            continue
        kind = document.get(f"{name}@odata.type")
        if kind == "Edm.Binary":
            value = a2b_base64(value)
        elif kind == "Edm.Int64":
            value = EntityProperty(int(value), EdmType.INT64)
        elif kind == "Edm.DateTime" or name == "Timestamp":
            value = datetime.fromisoformat(value)
        properties[name] = value
    return properties
