"""`python -m local schemas`: write the JSON Schemas of what people and upstream systems write, and openapi.json."""

import argparse
import json
from typing import Any

from pydantic import BaseModel

from local.stack.part import PROJECT
from shared.domain.configuration.audience_item import AudienceMessage
from shared.domain.configuration.model import ConfigurationFile
from shared.domain.messages.resync_item import ResyncMessage
from shared.domain.profile.change import ProfileChangeMessage

SUMMARY = "write the JSON Schemas of messages and configuration files, and the OpenAPI document"
DESCRIPTION = """\
Write the JSON Schemas of profile changes, audience and resync items and configuration files to schemas/, generated from
the models that check them, and the OpenAPI document of the admin API to openapi.json. Run it after changing a model or
a route; a test fails until you do.
"""
_MODELS: dict[str, type[BaseModel]] = {
    "schemas/audience-item.schema.json": AudienceMessage,
    "schemas/configuration.schema.json": ConfigurationFile,
    "schemas/profile-change.schema.json": ProfileChangeMessage,
    "schemas/resync-item.schema.json": ResyncMessage,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(_args: argparse.Namespace) -> int:
    for name, text in documents().items():
        (PROJECT / name).write_text(text, encoding="utf-8")
        print(f"wrote {name}")
    return 0


def documents() -> dict[str, str]:
    """The text of each generated file, by its path in the project."""
    from shared.web.app import openapi_document  # slow to import, and no other command needs it

    return {name: _text(_schema(model)) for name, model in _MODELS.items()} | {
        "openapi.json": _text(openapi_document())
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
