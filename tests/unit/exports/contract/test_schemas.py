"""Each export that the domain makes is what its destination's contract says, and says no more."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from shared.domain.configuration.model import Configuration
from shared.domain.exports.contract.contract import contract_of
from shared.errors import NotConfiguredError
from tests.kit.builders import configuration, destination
from tests.kit.made_exports import changes, configurations, exports_of


def closed(schema: Any) -> Any:
    """The schema, with no members but those that it names."""
    copied = deepcopy(schema)
    pending = [copied]
    while pending:
        node = pending.pop()
        if "properties" in node:
            node.setdefault("additionalProperties", False)
            pending += node["properties"].values()
        pending += [node[name] for name in ("additionalProperties", "items") if isinstance(node.get(name), dict)]
    return copied


@settings(max_examples=150, deadline=None)
@given(made=configurations(), items=st.tuples(changes(1), changes(2), changes(3)))
def test_exports_are_what_the_contract_says(made: Configuration, items: tuple[dict[str, Any], ...]) -> None:
    contract = contract_of(made, "crm")
    for schema in (contract.body_schema, contract.properties_schema):
        Draft7Validator.check_schema(schema)
    for export in exports_of(made, list(items)):
        Draft7Validator(closed(contract.body_schema)).validate(json.loads(export.body))
        Draft7Validator(closed(contract.properties_schema)).validate(dict(export.application_properties))


def test_bodies_that_are_none_of_it_are_refused() -> None:
    made = mapped(["/person/name"], includeExportMetadata=True)
    export, _ = exports_of(made, [ENTERED])
    validator = Draft7Validator(contract_of(made, "crm").body_schema)
    good = json.loads(export.body)
    validator.validate(good)
    member = good["segmentMembership"]["ups"]["loyal"]
    for wrong in (
        good | {"person": "John"},
        good | {"identityMap": {"ecid": ["1"]}},
        good | {"segmentMembership": {"ups": {"loyal": member | {"status": "existing"}}}},
        good | {"segmentMembership": {"ups": {"loyal": member | {"lastQualificationTime": "yesterday"}}}},
        good | {"_export": good["_export"] | {"destinationId": "another"}},
        good | {"_export": good["_export"] | {"occurredAt": "2026-01-11T21:00:01Z"}},
        {name: each for name, each in good.items() if name != "_export"},
    ):
        assert not validator.is_valid(wrong)


def test_it_is_open_to_what_is_mapped_later() -> None:
    later, _ = exports_of(mapped(["/person/name", "/loyalty"]), [ENTERED])
    assert json.loads(later.body)["loyalty"]
    Draft7Validator(contract_of(mapped(["/person/name"]), "crm").body_schema).validate(json.loads(later.body))


@settings(max_examples=50, deadline=None)
@given(configurations())
def test_generators_of_code_can_read_it(made: Configuration) -> None:
    """No references and no patterns of names; the same configuration gives the same files."""
    contract = contract_of(made, "crm")
    text = json.dumps([contract.body_schema, contract.properties_schema, contract.asyncapi["components"]])
    assert not [name for name in ("$ref", "$defs", "patternProperties", '"$id"') if name in text]
    assert contract.files() == contract_of(made, "crm").files()


def test_a_destination_without_a_dataflow_has_none() -> None:
    made = configuration({"destinations": [destination("crm")]})
    for missing in ("crm", "another"):
        with pytest.raises(NotConfiguredError):
            contract_of(made, missing)


ENTERED: dict[str, Any] = {
    "profileId": "p",
    "occurredAt": "2026-01-11T21:00:01.5Z",
    "attributes": {"person": {"name": {"firstName": "John"}}, "loyalty": {"tier": "gold"}},
    "segmentMembership": {"ups": {"loyal": {"status": "realized", "lastQualificationTime": "2026-01-11T21:00:01Z"}}},
    "identityMap": {"ecid": [{"id": "1"}]},
}


def mapped(attributes: list[str], **fields: Any) -> Configuration:
    dataflow = {"id": "crm", "audiences": ["loyal"], "attributes": attributes}
    return configuration({"destinations": [destination("crm", **fields)], "dataflows": [dataflow]})
