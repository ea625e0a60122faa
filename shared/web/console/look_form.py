"""The part of a form that says what a destination's exports hold besides what is mapped, who may ask for them, and
where its consumers keep how far they have read.
"""

from collections.abc import Iterable
from typing import Any

from pydantic.alias_generators import to_camel

from shared.domain.configuration.checkpoint_container import without_secret
from shared.domain.configuration.model import RETENTION_HOURS, Destination
from shared.web.console.forms import Form, line_of, text_of

_FLAGS = (
    "include_segment_names",
    "include_segment_timestamps",
    "only_mapped_audiences",
    "include_export_metadata",
    "keyed",
    "settle",
    "resync_by_message",
)


def members_of(form: Form) -> dict[str, Any]:
    """What was sent, as the API takes it; no namespaces at all are meant only where the box says so."""
    namespaces = list(dict.fromkeys(map(text_of, form.lines("identity_namespaces"))))
    return {to_camel(name): form.checked(name) for name in _FLAGS} | {
        "identityNamespaces": namespaces if form.checked("only_these_identities") else None,
        "staticProperties": _properties(form.lines("static_properties")),
        "consumerCheckpoints": form.text("consumer_checkpoints") or None,
        "retentionHours": _hours(form.text("retention_hours")),
    }


def _properties(lines: Iterable[str]) -> dict[str, str]:
    """`Name=value`, one a line; of one without a value, the API says that it has none."""
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): text_of(value.strip()) for name, _, value in pairs}


def _hours(text: str) -> int | str:
    """A number where there is one; of everything else, the API says what it expected."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text or RETENTION_HOURS


def values_of(form: Form) -> dict[str, Any]:
    """What the fields show again."""
    return {name: form.checked(name) for name in (*_FLAGS, "only_these_identities")} | {
        "identity_namespaces": form.raw("identity_namespaces"),
        "static_properties": form.raw("static_properties"),
        "consumer_checkpoints": without_secret(form.raw("consumer_checkpoints")),
        "retention_hours": form.raw("retention_hours"),
    }


def stored_values(destination: Destination) -> dict[str, Any]:
    """What the fields show of a destination."""
    namespaces = destination.identity_namespaces
    return destination.model_dump(include=set(_FLAGS)) | {
        "only_these_identities": namespaces is not None,
        "identity_namespaces": "\n".join(map(line_of, namespaces or ())),
        "static_properties": "\n".join(
            f"{name}={line_of(value)}" for name, value in destination.static_properties.items()
        ),
        "consumer_checkpoints": destination.consumer_checkpoints or "",
        "retention_hours": destination.retention_hours,
    }
