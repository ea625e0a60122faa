"""The AsyncAPI document, held to the specification's own schema."""

import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator

from shared.domain.configuration.model import Configuration
from shared.domain.exports.contract.contract import contract_of
from tests.kit.environments import CHECKOUT
from tests.kit.made_exports import configurations


@pytest.fixture(scope="module")
def published() -> Draft7Validator:
    file = CHECKOUT / "node_modules/@asyncapi/specs/schemas/3.0.0.json"
    return Draft7Validator(json.loads(file.read_text(encoding="utf-8")))


@settings(max_examples=20)
@given(made=configurations())
def test_it_is_one_whatever_is_mapped(published: Draft7Validator, made: Configuration) -> None:
    document = contract_of(made, "crm").asyncapi
    published.validate(document)
    wrong = deepcopy(document)
    wrong["operations"]["sendExport"]["action"] = "publish"
    assert not published.is_valid(wrong)


@given(made=configurations(keyed=True), other=configurations(keyed=False))
@settings(max_examples=5)
def test_it_tells_of_a_key_where_there_is_one(made: Configuration, other: Configuration) -> None:
    described = [
        contract_of(each, "crm").asyncapi["channels"]["exports"]["description"].count("SHA-256 of profileId")
        for each in (made, other)
    ]
    assert described == [1, 0]
