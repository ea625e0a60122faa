"""What a change takes away from what a destination's consumers read, said before it is made."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.paths import format_path
from shared.domain.configuration.plan import plan_changes
from shared.domain.configuration.removals import removals
from tests.kit.builders import configuration, destination
from tests.kit.made_exports import exports_of


def crm(audiences: list[str] | None = None, attributes: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    flow = {"id": "crm", "audiences": audiences or ["loyal"], "attributes": attributes or []}
    return {"destinations": [destination("crm", **fields)], "dataflows": [flow]}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (crm(attributes=["/loyalty/tier"]), crm(), ["/loyalty/tier"]),
        (crm(attributes=["/person"]), crm(attributes=["/person/name"]), ["/person but for /person/name"]),
        (crm(attributes=["/person/name"]), crm(attributes=["/person"]), []),
        (crm(["loyal", "new"]), crm(["new"]), ["the audience ups/loyal"]),
        (crm(), crm(onlyMappedAudiences=True), ["audiences that are not mapped"]),
        (crm(includeSegmentNames=True), crm(), ["names of audiences"]),
        (crm(includeSegmentTimestamps=True), crm(), ["times of audiences"]),
        (crm(), crm(identityNamespaces=["ecid"]), ["identities of all namespaces but ecid"]),
        (crm(), crm(identityNamespaces=[]), ["all identities"]),
        (crm(identityNamespaces=["ecid", "email"]), crm(identityNamespaces=["email"]), ["identities of ecid"]),
        (crm(identityNamespaces=["ecid"]), crm(), []),
        (crm(includeExportMetadata=True), crm(), ["_export"]),
        (crm(attributes=["/_export/x"]), crm(attributes=["/_export/x"], includeExportMetadata=True), ["/_export/x"]),
        (crm(keyed=True), crm(), ["keys of events"]),
        (crm(settle=True), crm(), ["the promise that a profile's last event is its greatest version"]),
        (crm(staticProperties={"Table": "a"}), crm(staticProperties={"Table": "b"}), ["the property Table = a"]),
        (crm(), crm(eventHubName="b"), ["all that is exported from now on, which goes to the hub b,"]),
        (crm(), {"destinations": [destination("crm")]}, ["everything"]),
        (crm(), {}, ["everything"]),
        ({"destinations": [destination("crm")]}, {}, []),
        (crm(), crm(["loyal", "new"], ["/x"], includeSegmentNames=True, staticProperties={"Table": "a"}), []),
    ],
)
def test_what_is_taken_away_is_said(before: dict[str, Any], after: dict[str, Any], what: list[str]) -> None:
    lines = [f"removes {each} from what crm's consumers read" for each in what]
    assert removals(configuration(before), configuration(after)) == lines
    planned = plan_changes(configuration(before), parse_configuration_file(after), 1, prune=True)
    assert planned.removals == lines


_PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda keys: format_path(tuple(keys))), unique=True
)


@settings(max_examples=200)
@given(before=_PATHS, after=_PATHS)
def test_it_is_what_exports_lose(before: list[str], after: list[str]) -> None:
    """Of a profile that has everything, told by the exports themselves."""
    old, new = leaves_told(configuration(crm(attributes=before))), leaves_told(configuration(crm(attributes=after)))
    said = removals(configuration(crm(attributes=before)), configuration(crm(attributes=after)))
    assert bool(said) == bool(old - new)


def leaves_told(made: Configuration) -> set[str]:
    names = "abcd"  # one more than is ever named
    attributes = {one: {two: dict.fromkeys(names, 1) for two in names} for one in names}
    item = {
        "profileId": "p",
        "occurredAt": "2026-01-11T21:00:00Z",
        "attributes": attributes,
        "segmentMembership": {
            "ups": {"loyal": {"status": "realized", "lastQualificationTime": "2026-01-11T21:00:00Z"}}
        },
    }
    body = json.loads(exports_of(made, [item])[0].body)
    return {one + two + three for one in names for two in body.get(one, {}) for three in body[one][two]}
