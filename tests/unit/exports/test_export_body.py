"""The export of the specification's example profile equals its JSON, whatever the toggles say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.domain.configuration.static_properties import OWN_PROPERTIES
from shared.domain.configuration.targets import Target, Targets
from shared.domain.exports.export import export_of
from shared.domain.instants import parse_instant
from shared.domain.profile.change import parse_change
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, change, configuration, destination, ids, membership, play, targets_of

SPECIFICATION = Path(__file__).parents[4] / "shared/reference/event-hubs-destination.de.md"
JOHN = {"birthDate": "YYYY-MM-DD", "name": {"firstName": "John", "lastName": "Doe"}}
EXITED = "7841ba61-23c1-4bb3-a495-00d3g5fe1e93"
QUALIFIED = {
    EXITED: ("exited", "2022-01-11T21:24:39Z"),
    "59bd2fkd-3c48-4b18-bf56-4f5c5e6967ae": ("realized", "2022-01-02T23:37:33Z"),
    "947c1c46-008d-40b0-92ec-3af86eaf41c1": ("realized", "2021-08-25T23:37:33Z"),
    "5114d758-ce71-43ba-b53e-e2a91d67b67f": ("realized", "2022-01-11T23:37:33Z"),
}
MEMBERSHIP = {
    "ups": {
        audience: {"lastQualificationTime": time, "status": status} for audience, (status, time) in QUALIFIED.items()
    }
}
IDENTITIES = {
    "ecid": [{"id": "14575006536349286404619648085736425115"}, {"id": "66478888669296734530114754794777368480"}],
    "email_lc_sha256": [{"id": "655332b5fa2aea4498bf7a290cff017cb4"}, {"id": "66baf76ef9de8b42df8903f00e0e3dc0b7"}],
}
EXAMPLE = {
    "person": JOHN,
    "personalEmail": {"address": "john.doe@acme.com"},
    "segmentMembership": MEMBERSHIP,
    "identityMap": IDENTITIES,
}


def body_of(state: ProfileState, targets: Targets, destination_id: str = "d") -> Any:
    return json.loads(bytes_of(state, targets.by_id[destination_id], targets))


def bytes_of(state: ProfileState, target: Target, targets: Targets) -> bytes:
    return export_of(state, target, targets.catalog, ["audience"], NOW).body


def example_state() -> ProfileState:
    state = ProfileState("john")
    written = {
        "profileId": "john",
        "occurredAt": "2022-01-11T23:37:33Z",
        "attributes": {"person": JOHN, "personalEmail": EXAMPLE["personalEmail"], "loyalty": {"tier": "gold"}},
        "segmentMembership": MEMBERSHIP,
        "identityMap": IDENTITIES,
    }
    state.apply(parse_change(written, NOW), NOW)
    return state


def test_specification_example() -> None:
    audiences = [{"id": audience, "mergePolicyId": "default"} for audience in QUALIFIED]
    attributes = ["person.birthDate", "/person/name/firstName", "person.name.lastName", "personalEmail.address"]
    targets = targets_of({"id": "d", "audiences": [EXITED], "attributes": attributes}, audiences=audiences)

    assert body_of(example_state(), targets) == EXAMPLE


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the specification is not beside this checkout")
def test_the_example_is_the_specifications() -> None:
    blocks = re.findall(r"```json\n(\{.*?)```", SPECIFICATION.read_text(), re.DOTALL)
    assert [json.loads(block) for block in blocks] == [EXAMPLE]


FIRST_NAME_IS_JOHN = "5b998cb9-9488-4ec3-8d95-fa8338ced490"
ALWAYS = {"lastQualificationTime": "2019-04-15T02:41:50+0000", "status": "realized"}
TIMESTAMPS = {
    "createdAt": 1648553325000,
    "updatedAt": 1648553330000,
    "mappingCreatedAt": 1649856570000,
    "mappingUpdatedAt": 1649856570000,
}
NAME = {"name": "First name equals John"}


@pytest.mark.parametrize(
    ("names", "timestamps", "entry"),
    [
        (False, False, ALWAYS),
        (True, False, ALWAYS | NAME),
        (False, True, ALWAYS | TIMESTAMPS),
        (True, True, ALWAYS | TIMESTAMPS | NAME),
    ],
)
def test_toggles(names: bool, timestamps: bool, entry: dict[str, Any]) -> None:
    document = {
        "audiences": [
            {
                "id": FIRST_NAME_IS_JOHN,
                "name": "First name equals John",
                "createdAt": "2022-03-29T11:28:45Z",
                "updatedAt": 1648553330000,
            }
        ],
        "destinations": [destination("d", includeSegmentNames=names, includeSegmentTimestamps=timestamps)],
        "dataflows": [{"id": "d", "audiences": [{"id": FIRST_NAME_IS_JOHN, "mappingCreatedAt": 1649856570000}]}],
    }
    state = ProfileState("john")
    written = {"segmentMembership": {"ups": {FIRST_NAME_IS_JOHN: ALWAYS}}}
    state.apply(parse_change({"profileId": "john", "occurredAt": "2019-04-15T02:41:50Z", **written}, NOW), NOW)

    body = body_of(state, Targets.of(configuration(document)))

    assert body == {"segmentMembership": {"ups": {FIRST_NAME_IS_JOHN: entry}}, "identityMap": {}}


def test_unmapped_audiences_are_exported_with_their_merge_policy_only() -> None:
    catalog = [
        {"id": "a", "mergePolicyId": "m"},
        {"id": "same", "mergePolicyId": "m"},
        {"id": "other", "mergePolicyId": "n"},
    ]
    targets = targets_of({"id": "d", "audiences": ["a", "unknown"]}, audiences=catalog)
    state = ProfileState("p")
    for audience in ("a", "same", "other", "unknown", "unknown-too"):
        state.apply(change(1, segmentMembership=membership(1, audience=audience)), NOW)

    assert body_of(state, targets)["segmentMembership"]["ups"].keys() == {"a", "same", "unknown"}


@pytest.mark.parametrize(
    ("fields", "audiences", "namespaces"),
    [
        ({}, "a same", "ecid email"),
        ({"onlyMappedAudiences": False, "identityNamespaces": None}, "a same", "ecid email"),
        ({"onlyMappedAudiences": True}, "a", "ecid email"),
        ({"identityNamespaces": ["email", "phone"]}, "a same", "email"),
        ({"onlyMappedAudiences": True, "identityNamespaces": []}, "a", ""),
    ],
)
def test_a_destination_may_hold_to_mapped_audiences_and_to_some_identities(
    fields: dict[str, Any], audiences: str, namespaces: str
) -> None:
    catalog = [{"id": audience, "mergePolicyId": "m"} for audience in ("a", "same")]
    targets = targets_of({"id": "d", "audiences": ["a"]}, audiences=catalog, **fields)
    state = ProfileState("p")
    both = ids("1") | ids("j@acme.com", namespace="email")
    state.apply(change(1, segmentMembership=membership(1), identityMap=both), NOW)
    state.apply(change(2, segmentMembership=membership(1, "exited", "same")), NOW)

    body = body_of(state, targets)

    assert body["segmentMembership"]["ups"].keys() == set(audiences.split())
    assert body["identityMap"] == {namespace: both[namespace] for namespace in namespaces.split()}


def test_audiences_without_merge_policy_share_none() -> None:
    targets = targets_of({"id": "d", "audiences": ["a"]}, audiences=[{"id": "a"}, {"id": "b"}])
    state = ProfileState("p")
    for audience in ("a", "b"):
        state.apply(change(1, segmentMembership=membership(1, audience=audience)), NOW)

    assert body_of(state, targets)["segmentMembership"]["ups"].keys() == {"a"}


def test_mapped_attributes_that_the_profile_has() -> None:
    attributes = [
        "/person/name",
        "/person/name/firstName",
        "/empty",
        "/list",
        "/gone",
        "/never/was",
        "/odd~1key/schema:x",
    ]
    targets = targets_of({"id": "d", "audiences": ["a"], "attributes": attributes})
    state = ProfileState("p")
    written = {
        "person": {"name": {"firstName": "J", "lastName": "D"}, "birthDate": "x"},
        "empty": {},
        "list": [{"deep": None}, 1.0, 1],
        "gone": 1,
        "odd/key": {"schema:x": False, "y": 2},
    }
    state.apply(change(1, attributes=written), NOW)
    state.apply(change(2, attributes={"gone": None}), NOW)

    body = body_of(state, targets)

    assert {key: value for key, value in body.items() if key not in {"segmentMembership", "identityMap"}} == {
        "person": {"name": {"firstName": "J", "lastName": "D"}},
        "empty": {},
        "list": [{"deep": None}, 1.0, 1],
        "odd/key": {"schema:x": False},
    }


def test_member_order_and_sorted_keys_make_equal_states_equal_bytes() -> None:
    targets = targets_of({"id": "d", "audiences": ["a", "b"], "attributes": ["/x", "/o"]})
    both = membership(1, audience="b")
    both["ups"] |= membership(1)["ups"]
    one, other = ProfileState("p"), ProfileState("p")
    one.apply(change(1, attributes={"x": 1, "o": {"b": [{"z": 1, "a": 2}], "a": 2}}), NOW)
    one.apply(change(2, segmentMembership=both, identityMap=ids("1")), NOW)
    other.apply(change(2, segmentMembership=membership(1) | {}, identityMap=ids("1")), NOW)
    other.apply(change(2, segmentMembership=membership(1, audience="b")), NOW)
    other.apply(change(1, attributes={"o": {"a": 2, "b": [{"a": 2, "z": 1}]}, "x": 1}), NOW)

    first, second = (bytes_of(state, targets.by_id["d"], targets) for state in (one, other))

    assert first == second
    assert list(json.loads(first)) == ["o", "x", "segmentMembership", "identityMap"]


def test_what_travels_beside_the_body() -> None:
    targets = targets_of({"id": "d", "audiences": ["a"]})
    state = ProfileState("p")
    qualified = change(5, segmentMembership=membership(5), identityMap=ids("1"))
    (export,) = play(state, targets, qualified).exports

    assert export.application_properties == {
        "reason": "audience,identity",
        "destinationId": "d",
        "profileId": "p",
        "profileVersion": NOW,
        "configRevision": 1,
        "occurredAt": "2026-01-11T21:00:05Z",
        "entered": "ups/a",
        "transitionIds": "entered-7265c8c68bd309ddc23563b7a650fd90",
    }
    (again,) = play(state, targets, qualified).exports
    assert again.message_id == export.message_id
    assert parse_instant(str(export.application_properties["occurredAt"])) == qualified.occurred_at


def test_a_body_has_what_travels_beside_it_where_that_is_asked_for() -> None:
    plain, asked = (
        play(
            ProfileState("p"),
            targets_of({"id": "d", "audiences": ["a"], "attributes": ["/x", "/_export"]}, includeExportMetadata=each),
            change(5, segmentMembership=membership(5), attributes={"x": 1, "_export": "theirs"}),
        ).exports[0]
        for each in (False, True)
    )
    document = json.loads(asked.body)
    metadata = document.pop("_export")

    assert json.loads(plain.body) == document | {"_export": "theirs"}
    assert list(json.loads(asked.body))[-1] == "_export"
    assert metadata == {
        "messageId": asked.message_id,
        "destinationId": "d",
        "profileId": "p",
        "profileVersion": NOW,
        "configRevision": 1,
        "reason": "audience,attribute",
        "occurredAt": "2026-01-11T21:00:05.000000Z",
        "entered": ["ups/a"],
        "left": [],
        "transitionIds": str(asked.application_properties["transitionIds"]).split(","),
    }
    assert asked.application_properties == plain.application_properties
    assert asked.message_id == plain.message_id


def test_static_properties_travel_beside_each_export() -> None:
    routing = {"Table": "Profiles", "Format": "multijson", "IngestionMappingReference": "profiles"}
    targets = targets_of({"id": "d", "audiences": ["a"]}, staticProperties=routing)
    (export,) = play(ProfileState("p"), targets, change(5, segmentMembership=membership(5))).exports
    assert export.application_properties.items() >= routing.items()
    assert export.application_properties.keys() - routing.keys() <= OWN_PROPERTIES
