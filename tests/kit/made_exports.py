"""Configurations and profiles of all kinds, and the exports that the domain makes of them."""

import json
from typing import Any

from hypothesis import strategies as st

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.paths import EXPORT_METADATA, format_path
from shared.domain.configuration.targets import Targets
from shared.domain.exports.export import Export, current_export
from shared.domain.profile.change import parse_change
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, at, configuration, destination, play

KEYS = [
    "person",
    "name",
    "Name",
    "a b",
    "it's",
    'say "no"',
    "back\\slash",
    "til~de",
    "sl/ash",
    "`",
    "]",
    "é",
    "0",
    "$",
    "*",
]
_PATHS = st.lists(st.sampled_from([*KEYS, EXPORT_METADATA]), min_size=1, max_size=3).map(
    lambda keys: format_path(tuple(keys))
)
_AUDIENCES = st.sampled_from([("ups", "loyal"), ("ups", "it's"), ("a/b", "c"), ("own", "loyal"), ("ups", "others")])
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé'\"\\", max_size=3)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(KEYS), below, max_size=3),
    max_leaves=6,
)


@st.composite
def configurations(draw: st.DrawFn, /, **destination_fields: Any) -> Configuration:
    """One destination, `crm`, with a dataflow; what its exports hold is drawn, but for these fields."""
    known = draw(st.lists(_AUDIENCES, unique=True))
    looks = {name: draw(st.booleans()) for name in _SWITCHES} | {
        "identityNamespaces": draw(st.none() | st.lists(st.sampled_from(["ecid", "email"]), unique=True)),
        "staticProperties": draw(st.dictionaries(st.sampled_from(["Table", "Format"]), st.sampled_from(["x", "it's"]))),
    }
    return configuration(
        {
            "audiences": [
                {
                    "namespace": namespace,
                    "id": key,
                    "name": f"The {key}",
                    "mergePolicyId": draw(st.sampled_from(["m", None])),
                }
                for namespace, key in known
            ],
            "destinations": [destination("crm", **looks | destination_fields)],
            "dataflows": [
                {
                    "id": "crm",
                    "audiences": [
                        {"namespace": namespace, "id": key}
                        for namespace, key in draw(st.lists(_AUDIENCES, unique=True))
                    ],
                    "attributes": draw(st.lists(_PATHS, unique=True, max_size=4)),
                    "consent": draw(st.none() | st.just("/consent")),
                }
            ],
        }
    )


_SWITCHES = ("includeSegmentNames", "includeSegmentTimestamps", "onlyMappedAudiences", "includeExportMetadata", "keyed")


@st.composite
def changes(draw: st.DrawFn, second: int) -> dict[str, Any]:
    """The item of a change of the profile `p`."""
    members: dict[str, dict[str, Any]] = {}
    for namespace, key in draw(st.lists(_AUDIENCES, unique=True)):
        members.setdefault(namespace, {})[key] = {
            "status": draw(st.sampled_from(["realized", "exited"])),
            "lastQualificationTime": draw(st.sampled_from([at(second), "2026-01-11T21:24:39.5+0000"])),
        }
    identities = draw(
        st.dictionaries(st.sampled_from(["ecid", "email"]), st.lists(st.sampled_from(["1", "2"]), min_size=1))
    )
    return {
        "profileId": "p",
        "occurredAt": at(second),
        "attributes": draw(st.dictionaries(st.sampled_from(KEYS), _VALUES))
        | {"consent": draw(st.sampled_from(["y", "n"]))},
        "segmentMembership": members,
        "identityMap": {name: [{"id": each} for each in ids] for name, ids in identities.items()},
        "deleted": False,
    }


def exports_of(made: Configuration, items: list[dict[str, Any]]) -> list[Export]:
    """What `crm` is told when these happen, and what a backfill tells it then."""
    targets, state = Targets.of(made), ProfileState(items[0]["profileId"])
    played = play(state, targets, *(parse_change(json.loads(json.dumps(each)), NOW) for each in items))
    backfilled = current_export(state, targets.by_id["crm"], targets.catalog, ["backfill"], NOW)
    return [*played.exports, *([backfilled] if backfilled else [])]
