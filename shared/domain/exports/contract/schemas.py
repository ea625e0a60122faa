"""What a destination's consumers may count on, as JSON Schema.

Draft 7, which more tools read than any later one; maps as `propertyNames` and `additionalProperties`, for generators of
code take `patternProperties` for a class without members; no references, for a payload of AsyncAPI may have none.
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.configuration.model import Audience
from shared.domain.configuration.paths import EXPORT_METADATA, format_path
from shared.domain.configuration.targets import Target
from shared.domain.profile.attributes import Mask, Path
from shared.domain.profile.memberships import AudienceKey

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
_SECONDS = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_NAME: Schema = {"minLength": 1}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_MILLISECONDS: Schema = {"type": ["integer", "null"], "description": "Epoch milliseconds"}
_MESSAGE_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


def body_schema(target: Target, catalog: Mapping[AudienceKey, Audience]) -> Schema:
    """Of the JSON that is an event's body. It is open: what is mapped later breaks nobody who holds bodies to it."""
    schema = _attributes(target.mask, ())
    members = schema["properties"]
    members["segmentMembership"] = _memberships(target, catalog)
    members["identityMap"] = _identities(target)
    required = ["segmentMembership", "identityMap"]
    if target.destination.include_export_metadata:
        members[EXPORT_METADATA] = _metadata(target)
        required.append(EXPORT_METADATA)
    return {"title": "Export", "description": f"A profile as {target.id} is told of it", **schema, "required": required}


def properties_schema(target: Target) -> Schema:
    """Of the application properties beside the body, by name."""
    listed = {
        "entered": "Mapped audiences entered: namespace/id with commas between; in names %, comma, slash encoded",
        "left": "Those that were left, in the same form",
        "transitionIds": "An id for each of both, separated by commas, in the order in which they happened: act once",
        "present": "Of a backfill or resync: the mapped audiences that the profile is in, in the same form",
        "traceparent": "The trace of the change, if it has one",
        "Diagnostic-Id": "The same under its older name",
    }
    facts = _facts(target, f"^{_SECONDS}(\\.[0-9]{{6}})?Z$")
    static = sorted(target.destination.static_properties.items())
    named = {name: {"type": "string", "const": value} for name, value in static}
    return {
        "title": "ExportProperties",
        "description": "Application properties of an export: headers to readers by Kafka, in AMQP's encoding",
        "type": "object",
        "properties": {
            **facts,
            **{name: {"type": "string", "description": description} for name, description in listed.items()},
            "transitionsOmitted": {**_WHOLE, "description": "So many of the oldest transitions are not listed"},
            **named,
        },
        "required": [*facts, *named],
    }


def _facts(target: Target, instant: str) -> Schema:
    return {
        "destinationId": {"type": "string", "const": target.id},
        "profileId": {"type": "string", "minLength": 1},
        "profileVersion": {**_WHOLE, "description": "Keep the greatest (profileVersion, configRevision) of a profile"},
        "configRevision": _WHOLE,
        "reason": {"type": "string", "description": "For looking into things, not for deciding by"},
        "occurredAt": {"type": "string", "pattern": instant},
    }


def _attributes(mask: Mask, path: Path) -> Schema:
    """Objects as far as paths go; what is mapped is of whatever type upstream writes, objects and arrays whole."""
    members: Schema = {}
    for key, below in sorted(mask.items()):
        here = (*path, key)
        open_type: Schema = {"description": f"{format_path(here)}, as upstream writes it"}
        members[key] = open_type if below is None else _attributes(below, here)
    return {"type": "object", "properties": members}


def _memberships(target: Target, catalog: Mapping[AudienceKey, Audience]) -> Schema:
    entry: Schema = {
        "status": {"type": "string", "enum": ["realized", "exited"]},
        "lastQualificationTime": {
            "type": "string",
            "description": "As upstream wrote it",
            "pattern": f"^{_SECONDS}(\\.[0-9]{{1,9}})?(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$",
        },
    }
    if target.destination.include_segment_names:
        entry["name"] = {"type": "string", "description": "Missing where the catalog does not have the audience"}
    if target.destination.include_segment_timestamps:
        for name in ("createdAt", "updatedAt", "mappingCreatedAt", "mappingUpdatedAt"):
            entry[name] = _MILLISECONDS
    others = " alone" if target.destination.only_mapped_audiences else ", and others of the same merge policy"
    audiences = [
        {"namespace": key[0], "id": key[1], "name": catalog[key].name if key in catalog else ""}
        for key in sorted(target.mapped)
    ]
    membership = {"type": "object", "properties": entry, "required": ["status", "lastQualificationTime"]}
    return _map(
        f"By namespace and id: the mapped audiences that the profile has been in{others}",
        _map("By id", membership),
        {"x-mapped-audiences": audiences},
    )


def _identities(target: Target) -> Schema:
    namespaces = target.identity_namespaces
    which = "all namespaces" if namespaces is None else ", ".join(sorted(namespaces)) or "none"
    identity = {"type": "object", "properties": {"id": {"type": "string", "minLength": 1}}, "required": ["id"]}
    return _map(f"By namespace: {which}", {"type": "array", "minItems": 1, "items": identity}, {})


def _map(description: str, value: Schema, extra: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "description": description,
        **(extra or {}),
        "propertyNames": _NAME,
        "additionalProperties": value,
    }


def _metadata(target: Target) -> Schema:
    facts = _facts(target, f"^{_SECONDS}\\.[0-9]{{6}}Z$")
    lists: Schema = dict.fromkeys(("entered", "left", "transitionIds"), _TEXTS)
    return {
        "type": "object",
        "description": "What travels beside the body, for whoever reads bodies alone",
        "properties": {"messageId": _MESSAGE_ID, **facts, **lists, "transitionsOmitted": _WHOLE, "present": _TEXTS},
        "required": ["messageId", *facts, *lists],
    }
