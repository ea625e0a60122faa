"""What docs/consumers.md has readers paste, as far as it runs without the service that it is for."""

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub._pyamqp._encode import encode_value

from shared.domain.exports.contract.contract import contract_of
from tests.kit.builders import configuration, destination

GUIDE = (Path(__file__).parents[3] / "docs/consumers.md").read_text(encoding="utf-8")


def block(language: str, beginning: str) -> str:
    (found,) = (each for each in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) if beginning in each)
    return str(found)


def test_it_shows_what_a_contract_has() -> None:
    made = configuration(
        {
            "destinations": [destination("crm", includeExportMetadata=True)],
            "dataflows": [{"id": "crm", "audiences": ["loyal"], "attributes": ["person.name"]}],
        }
    )
    fences = [f"```{text.language}\n{block}```" for text in contract_of(made, "crm").texts for block in text.blocks]
    assert [fence for fence in fences if fence not in GUIDE] == []


def test_the_upsert_keeps_the_greatest_in_any_order() -> None:
    upsert = block("sql", "VALUES (:destination_id")
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE TABLE profiles (destination_id text, profile_id text, version bigint, revision bigint, body text, "
        "PRIMARY KEY (destination_id, profile_id))"
    )
    for destination_id, version, revision in [
        ("d", 2, 1),
        ("d", 1, 9),
        ("d", 2, 3),
        ("d", 2, 2),
        ("e", 1, 1),
        ("d", 2, 3),
    ]:
        facts = {"destination_id": destination_id, "profile_id": "p", "version": version, "revision": revision}
        database.execute(upsert, facts | {"body": f"{version}.{revision}"})
    assert database.execute("SELECT destination_id, body FROM profiles ORDER BY 1").fetchall() == [
        ("d", "2.3"),
        ("e", "1.1"),
    ]
    database.close()


@pytest.mark.parametrize("value", ["", "audience", "ü" * 200, 0, 127, -1, 128, 1_768_168_800_000_000])
def test_headers_are_read_as_an_amqp_sender_encodes_them(value: str | int) -> None:
    names: dict[str, Any] = {}
    exec(block("python", "def header"), names)  # noqa: S102 - the guide's own text
    encoded = bytearray()
    encode_value(encoded, {"TYPE": "LONG", "VALUE": value} if isinstance(value, int) else value)
    assert names["header"](bytes(encoded)) == value


def test_each_transition_is_matched_with_its_audience() -> None:
    acted: list[tuple[str, str]] = []
    properties = {"entered": "ups/a,ups/b", "left": "ups/c", "transitionIds": "entered-1,left-2,entered-3"}
    for told in ({}, properties):
        exec(block("python", "act_once"), {"properties": told, "act_once": lambda *each: acted.append(each)})  # noqa: S102
    assert acted == [("entered-1", "ups/a"), ("left-2", "ups/c"), ("entered-3", "ups/b")]
