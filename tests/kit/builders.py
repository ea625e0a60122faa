"""Short ways to say what a test is about: changes, configurations, states."""

from typing import Any

from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.domain.configuration.targets import Targets
from shared.domain.exports.export import Export
from shared.domain.exports.transition import Transition, transition
from shared.domain.instants import SECOND, format_instant, parse_instant
from shared.domain.profile.change import ProfileChange, parse_change
from shared.domain.profile.state import ProfileState

START = parse_instant("2026-01-11T21:00:00Z")
NOW = parse_instant("2026-01-11T22:00:00Z")


def at(second: int) -> str:
    """The instant `second` seconds after the tests' start, as it is written in a message."""
    return format_instant(START + second * SECOND)


def item(profile_id: str, second: int, **fields: Any) -> dict[str, Any]:
    return {"profileId": profile_id, "occurredAt": at(second), **fields}


def change(second: int, **fields: Any) -> ProfileChange:
    return parse_change(item("p", second, **fields), NOW)


def membership(second: int, status: str = "realized", audience: str = "a", namespace: str = "ups") -> dict[str, Any]:
    """A `segmentMembership` with one entry."""
    return {namespace: {audience: {"status": status, "lastQualificationTime": at(second)}}}


def ids(*identities: str, namespace: str = "ecid") -> dict[str, Any]:
    """An `identityMap` with one namespace."""
    return {namespace: [{"id": identity} for identity in identities]}


def configuration(document: dict[str, Any], now_ms: int = 1_700_000_000_000) -> Configuration:
    return plan_changes(Configuration(), parse_configuration_file(document), now_ms).configuration


def destination(destination_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": destination_id, "name": destination_id.upper(), "eventHubName": destination_id, **fields}


def targets_of(
    *dataflows: dict[str, Any], audiences: list[dict[str, Any]] | None = None, **destination_fields: Any
) -> Targets:
    """Targets for dataflows, each with a destination of its own; `audiences` is the catalog."""
    document = {
        "audiences": audiences or [],
        "destinations": [destination(dataflow["id"], **destination_fields) for dataflow in dataflows],
        "dataflows": list(dataflows),
    }
    return Targets.of(configuration(document))


def play(
    state: ProfileState, targets: Targets, *changes: ProfileChange, message_id: str = "m", now: int = NOW
) -> Transition:
    return transition(state, list(enumerate(changes)), message_id, targets, now)


def told(exports: list[Export]) -> list[tuple[str, str]]:
    """(destination, reasons) of each export."""
    return [(export.destination.id, ",".join(export.reasons)) for export in exports]
