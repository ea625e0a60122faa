"""What readers paste, as far as it can be run without the services that it is for: names, quoting, headers."""

import ast
import re
from typing import Any

from hypothesis import given, settings
from jsonschema import Draft7Validator

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.targets import Targets
from shared.domain.exports.contract.contract import Contract, contract_of
from shared.domain.exports.contract.texts.text import Text, columns_of
from tests.kit.builders import configuration, destination
from tests.kit.made_exports import configurations


def text_named(contract: Contract, file_name: str) -> Text:
    return next(text for text in contract.texts if text.file_name == file_name)


@settings(max_examples=100)
@given(configurations())
def test_each_attribute_has_a_column_of_its_own_that_every_reader_takes(made: Configuration) -> None:
    names = [column.name for column in columns_of(Targets.of(made).by_id["crm"])]
    assert len({name.lower() for name in names}) == len(names)
    assert [name for name in names if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,59}", name)] == []


def test_names_stay_apart_however_long_they_are() -> None:
    attributes = [f"/{'x' * 80}/{number}" for number in range(30)] + ["/version", "/é", "/ü", "/0"]
    made = configuration(
        {
            "destinations": [destination("crm")],
            "dataflows": [{"id": "crm", "audiences": ["a"], "attributes": attributes}],
        }
    )
    names = [column.name for column in columns_of(Targets.of(made).by_id["crm"])]
    assert len(set(names)) == len(attributes)
    assert {"version_2", "attribute", "attribute_2", "attribute_0"} <= set(names)


@settings(max_examples=100)
@given(configurations())
def test_python_is_python_whatever_is_mapped(made: Configuration) -> None:
    """And what it says to Spark names the keys as they are."""
    for text in contract_of(made, "crm").texts:
        if text.language == "python":
            tree = ast.parse("\n\n".join(text.blocks))
            said = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)]
            if text.file_name == "spark.py":
                schema = next(each for each in said if isinstance(each, str) and "identityMap MAP" in each)
                keys = {key for column in columns_of(Targets.of(made).by_id["crm"]) for key in column.path}
                assert [key for key in keys if f"`{key.replace('`', '``')}`" not in schema] == []


def test_a_text_says_what_the_destination_has_to_choose_first() -> None:
    flow = {"id": "crm", "audiences": ["a"]}
    for chosen in (False, True):
        made = configuration({"destinations": [destination("crm", includeExportMetadata=chosen)], "dataflows": [flow]})
        contract = contract_of(made, "crm")
        needing = {text.file_name for text in contract.texts if text.needs}
        assert needing == (set() if chosen else {"azure-data-explorer.kql", "duckdb.sql", "spark.py"})
        assert ("Needs includeExportMetadata" in contract.files()["duckdb.sql"]) is not chosen


def test_the_table_is_the_one_that_events_are_routed_to() -> None:
    for table, named in (("Crm", "Crm"), ("Crm'; .drop", "ProfileExports")):
        made = configuration(
            {
                "destinations": [destination("crm", staticProperties={"Table": table})],
                "dataflows": [{"id": "crm", "audiences": ["a"]}],
            }
        )
        kusto = text_named(contract_of(made, "crm"), "azure-data-explorer.kql")
        assert kusto.blocks[0] == f".create table {named} (body: dynamic)\n"


@settings(max_examples=100)
@given(configurations())
def test_the_example_of_the_asyncapi_document_is_one(made: Configuration) -> None:
    """Parsers check examples of version 2 alone."""
    contract = contract_of(made, "crm")
    message: Any = contract.asyncapi["components"]["messages"]["export"]
    assert ("examples" in message) == bool(made.dataflow("crm").audiences)
    for example in message.get("examples", ()):
        Draft7Validator(message["payload"]).validate(example["payload"])
        Draft7Validator(message["headers"]).validate(example["headers"])
    assert contract.asyncapi["info"]["version"] == str(contract.config_revision)
