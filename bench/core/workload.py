"""The core's work: a configuration of many dataflows, a profile that one of them maps, and changes of that profile.

The profile has 20 attribute leaves, 10 memberships and 3 identities, all mapped by the first dataflow. The others map
audiences and attributes of their own: what a change costs is to depend on what it touches, not on who else is there.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.domain.configuration.shadows import USUAL_HOURS, begun
from shared.domain.configuration.targets import Targets
from shared.domain.exports.export import export_body
from shared.domain.exports.transition import transition
from shared.domain.instants import SECOND, format_instant, parse_instant
from shared.domain.profile.change import parse_change
from shared.domain.profile.state import ProfileState

ATTRIBUTES, AUDIENCES = 50, 250
LEAVES, MEMBERSHIPS, IDENTITIES = 20, 10, 3
NOW = parse_instant("2026-01-11T22:00:00Z")
_WRITTEN = NOW - 3600 * SECOND
_GROUPS = ("person", "contact", "loyalty", "device")
_KINDS = ("attribute",) * 7 + ("audience",) * 2 + ("identity",)


@dataclass(frozen=True, slots=True)
class Work:
    """A queue message of one change, and the same change as bare JSON needs it."""

    message: bytes
    change: str


def targets_of(dataflows: int, *, shadowed: bool = False) -> Targets:
    """`dataflows` of 50 attributes and 250 audiences each; the first maps all that the profile has.

    `shadowed`: a candidate is tried beside the first, with another audience and another attribute.
    """
    document = {
        "audiences": [
            {"id": audience, "name": f"Audience {audience}", "mergePolicyId": f"policy-{number}"}
            for number in range(dataflows)
            for audience in _audiences(number)
        ],
        "destinations": [
            {"id": f"d{number}", "name": f"D{number}", "eventHubName": f"d{number}"} for number in range(dataflows)
        ],
        "dataflows": [
            {"id": f"d{number}", "audiences": _audiences(number), "attributes": _attributes(number)}
            for number in range(dataflows)
        ],
    }
    now_ms = NOW // 1_000
    configuration = plan_changes(Configuration(), parse_configuration_file(document), now_ms).configuration
    if shadowed:
        live = configuration.dataflow("d0")
        other = {"audiences": live.audiences[:-1], "attributes": [*live.attributes[:-1], "/other"]}
        configuration = begun(configuration, live.model_copy(update=other), now_ms, USUAL_HOURS)
    return Targets.of(configuration)


def stored_profile(targets: Targets) -> ProfileState:
    """The profile as the changes find it, with what a change called for that came before them."""
    state = ProfileState("profile-4711")
    at = format_instant(_WRITTEN)
    item = {
        "profileId": state.profile_id,
        "occurredAt": at,
        "attributes": {
            group: {f"field{n}": f"{group} value {n}" if n % 4 else n * 1_000 for n in range(LEAVES // len(_GROUPS))}
            for group in _GROUPS
        },
        "identityMap": _identity_map("old"),
        "segmentMembership": {"ups": {audience: _entry(_WRITTEN) for audience in _audiences(0)[:MEMBERSHIPS]}},
    }
    transition(state, [(0, parse_change(item, NOW))], "4f6f0c3e-0000-0000-0000-000000000000", targets, _WRITTEN)
    return state


def changes(count: int, *, exported: bool) -> list[Work]:
    """Changes of the profile, 70 % attribute, 20 % audience, 10 % identity; each is newer than what is stored.

    Those not `exported` alter the state as well, but nothing that is mapped: attributes that nobody maps, memberships
    that qualify again, identities that stay the same.
    """
    return [_work(number, _KINDS[number % len(_KINDS)], exported) for number in range(count)]


def body_of(state: ProfileState, targets: Targets) -> Any:
    """What an export of the profile says, as Python objects."""
    return json.loads(export_body(state, targets.by_id["d0"], targets.catalog))


def _work(number: int, kind: str, exported: bool) -> Work:
    at = NOW - 60 * SECOND + number
    item: dict[str, Any] = {"profileId": "profile-4711", "occurredAt": format_instant(at)}
    if kind == "attribute":
        group = _GROUPS[number % len(_GROUPS)] if exported else "unmapped"
        item["attributes"] = {group: {"field1": f"new value {number}", "field4": number}}
    elif kind == "audience":
        audience = _audiences(0)[number % MEMBERSHIPS]
        item["segmentMembership"] = {"ups": {audience: _entry(at, "exited" if exported else "realized")}}
    else:
        item["identityMap"] = _identity_map(f"new-{number}" if exported else "old")
    text = json.dumps(item, separators=(",", ":"))
    return Work(text.encode(), text)


def _entry(at: int, status: str = "realized") -> dict[str, str]:
    return {"status": status, "lastQualificationTime": format_instant(at)}


def _identity_map(value: str) -> dict[str, Any]:
    return {namespace: [{"id": f"{namespace}-{value}"}] for namespace in ("ecid", "email", "crm")[:IDENTITIES]}


def _audiences(dataflow: int) -> list[str]:
    return [str(uuid5(NAMESPACE_URL, f"{dataflow}/{number}")) for number in range(AUDIENCES)]


def _attributes(dataflow: int) -> list[str]:
    groups = _GROUPS if dataflow == 0 else [f"{group}{dataflow}" for group in _GROUPS]
    return [f"/{groups[n % len(groups)]}/field{n // len(groups)}" for n in range(ATTRIBUTES)]
