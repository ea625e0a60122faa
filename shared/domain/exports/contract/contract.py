"""What a destination's consumers may count on, made from what it maps and how its exports look."""

import json
from dataclasses import dataclass
from typing import Any

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.targets import Targets
from shared.domain.exports.contract.asyncapi import asyncapi_document
from shared.domain.exports.contract.schemas import DRAFT, body_schema, properties_schema
from shared.domain.exports.contract.texts.databases import duckdb, postgresql
from shared.domain.exports.contract.texts.kusto import kusto
from shared.domain.exports.contract.texts.streams import kafka, spark, stream_analytics
from shared.domain.exports.contract.texts.text import Text
from shared.domain.exports.sample import sample_verdict
from shared.domain.instants import parse_instant

_EXAMPLE_AT = parse_instant("2026-01-11T21:24:39Z")
_KINDS = (kusto, stream_analytics, postgresql, duckdb, spark, kafka)
_COMMENTS = {"kusto": "//", "sql": "--", "python": "#"}


@dataclass(frozen=True, slots=True)
class Contract:
    """`config_revision`: since which exports look like this."""

    destination_id: str
    config_revision: int
    body_schema: dict[str, Any]
    properties_schema: dict[str, Any]
    asyncapi: dict[str, Any]
    texts: tuple[Text, ...]

    def files(self) -> dict[str, str]:
        """The text of each file, by its name."""
        schemas = {
            f"{name}.schema.json": {"$schema": DRAFT, **schema}
            for name, schema in (("body", self.body_schema), ("properties", self.properties_schema))
        }
        documents = {**schemas, "asyncapi.json": self.asyncapi}
        written = {name: json.dumps(each, indent=2, ensure_ascii=False) + "\n" for name, each in documents.items()}
        return written | {text.file_name: self._file(text) for text in self.texts}

    def _file(self, text: Text) -> str:
        mark = _COMMENTS[text.language]
        head = [f"{mark} Exports to {self.destination_id}, as they are since configRevision {self.config_revision}."]
        if text.needs:
            head.append(f"{mark} Needs {text.needs}.")
        between = "\n\n" if text.language == "python" else "\n"
        return between.join(("\n".join(head) + "\n", *text.blocks))


def contract_of(configuration: Configuration, destination_id: str) -> Contract:
    """The same for the same configuration. Raises NotConfiguredError where it has no such destination or dataflow."""
    configuration.destination(destination_id)
    configuration.dataflow(destination_id)
    targets = Targets.of(configuration)
    target = targets.by_id[destination_id]
    body, properties = body_schema(target, targets.catalog), properties_schema(target)
    example = sample_verdict(targets, destination_id, _EXAMPLE_AT).export if target.mapped else None
    return Contract(
        destination_id,
        target.revision,
        body,
        properties,
        asyncapi_document(target, body, properties, example),
        tuple(kind(target) for kind in _KINDS),
    )
