"""`python -m local schemas`: write the JSON Schemas of what people and upstream systems write."""

import argparse
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from shared.domain.audience_item import AudienceMessage
from shared.domain.change import ProfileChangeMessage
from shared.domain.configuration import ConfigurationFile

SUMMARY = "write the JSON Schemas of messages and configuration files"
DESCRIPTION = """\
Write the JSON Schemas of profile changes, audience items and configuration files to schemas/, generated from the models
that check them. Run it after changing a model; a test fails until you do.
"""
DIRECTORY = Path(__file__).parents[1] / "schemas"
_MODELS: dict[str, type[BaseModel]] = {
    "audience-item.schema.json": AudienceMessage,
    "configuration.schema.json": ConfigurationFile,
    "profile-change.schema.json": ProfileChangeMessage,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(_args: argparse.Namespace) -> int:
    DIRECTORY.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (DIRECTORY / name).write_text(schema, encoding="utf-8")
        print(f"wrote schemas/{name}")
    return 0


def schemas() -> dict[str, str]:
    """The text of each schema file, by its name."""
    return {name: _text(model) for name, model in _MODELS.items()}


def _text(model: type[BaseModel]) -> str:
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
