"""Schemas, samples and the examples in the documents are what the code takes."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from local import cli
from local.commands.schemas import documents
from shared.domain.configuration.audience_item import parse_audience
from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.configuration.plan import plan_changes
from shared.domain.instants import parse_instant
from shared.domain.profile.change import InvalidChangeError, parse_change
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, ids, item, membership, play, targets_of

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((ROOT / "schemas" / name).read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", documents())
def test_what_is_generated_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text() == documents()[name], "run: .venv/bin/python -m local schemas"


def test_the_sample_configuration_can_be_applied_and_is_without_warnings() -> None:
    document = json.loads((ROOT / "samples/config.json").read_text())
    validator("configuration.schema.json").validate(document)
    assert plan_changes(Configuration(), parse_configuration_file(document), 1).warnings == []


def test_schema_and_app_agree_on_the_sample_changes() -> None:
    schema = validator("profile-change.schema.json")
    refused = 0
    for line in (ROOT / "samples/changes.ndjson").read_text().splitlines():
        written = json.loads(line)
        try:
            parse_change(written, NOW)
        except InvalidChangeError:
            refused += 1
            assert not schema.is_valid(written)
        else:
            schema.validate(written)
    assert refused == 1


def test_the_readmes_change_is_one() -> None:
    change, export = (
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    )
    assert parse_change(change, NOW).profile_id == "john.doe"
    assert list(export) == ["loyalty", "person", "personalEmail", "segmentMembership", "identityMap"]


def test_the_audience_in_the_documents_is_one() -> None:
    (example,) = re.findall(r'```json\n(\{"audience".*?)```', (ROOT / "docs/messages.md").read_text(), re.DOTALL)
    validator("audience-item.schema.json").validate(json.loads(example))
    assert parse_audience(json.loads(example), NOW).audience.name == "High propensity to buy"


def test_every_change_in_the_documents_is_one() -> None:
    """And by the schema, too, which other languages check by."""
    schema = validator("profile-change.schema.json")
    found = [
        json.loads(text)
        for name in ("README.md", "docs/messages.md", "docs/backfill.md")
        for text in re.findall(r"```json\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
        if '"profileId"' in text
    ]
    assert len(found) == 3
    for change in found:
        schema.validate(change)
        parse_change(change, parse_instant("2026-03-01T00:00:00Z"))


def test_times_are_taken_in_the_forms_that_the_documents_name() -> None:
    (said,) = re.findall(r"Times are\n(.*?)is none\.", (ROOT / "docs/messages.md").read_text(), re.DOTALL)
    zulu, *offsets = re.findall(r"`([\d+-][\d:TZ+-]+)`", said)
    assert len(offsets) == 4
    for form in (zulu, *(zulu.removesuffix("Z") + offset for offset in offsets), zulu.replace("Z", ".123456789Z")):
        parse_instant(form)
    for form in (zulu.removesuffix("Z"), zulu.partition("T")[0], zulu.replace("Z", ".1234567890Z")):
        with pytest.raises(ValueError, match="expected a date and time with a zone"):
            parse_instant(form)


def test_the_export_of_somebody_who_left_is_as_the_consumers_guide_shows_it() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/consumers.md").read_text(), re.DOTALL)
    loyal = {"id": "loyal", "name": "Loyal customers", "createdAt": 1767950000000, "updatedAt": 1767960000000}
    mapped = {"id": "loyal", "mappingCreatedAt": 1768000000000, "mappingUpdatedAt": 1768000000000}
    targets = targets_of(
        {"id": "crm", "audiences": [mapped], "attributes": ["person.name"]},
        audiences=[loyal],
        includeSegmentNames=True,
        includeSegmentTimestamps=True,
    )
    state = ProfileState("john.doe")
    entered = item(
        "john.doe",
        1,
        attributes={"person": {"name": {"firstName": "John"}}, "loyalty": {"tier": "gold"}},
        identityMap=ids("14575006536349286404619648085736425115"),
        segmentMembership=membership(1, audience="loyal"),
    )
    left = item(
        "john.doe",
        2,
        segmentMembership={"ups": {"loyal": {"status": "exited", "lastQualificationTime": "2026-01-11T21:24:39Z"}}},
    )
    played = play(state, targets, parse_change(entered, NOW), parse_change(left, NOW))
    body = played.exports[-1].body.decode()
    assert body == json.dumps(json.loads(text), separators=(",", ":"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        linked = document.parent / path if path else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_document_is_listed() -> None:
    listed = set(re.findall(r"^- \[(\S+)\]\(\1\): ", (ROOT / "docs/README.md").read_text(), re.MULTILINE))
    assert listed == {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_shown_is_one(document: Path) -> None:
    """With its options: argparse ends the test where there is no such thing."""
    for line in re.findall(r"^(?:.*\| )?\.venv/bin/python -m local (.*)$", document.read_text(), re.MULTILINE):
        words = shlex.split(line.partition(" | ")[0], comments=True)
        cli.arguments_of(words[0], words[1:])


def test_every_command_named_is_one() -> None:
    for document in DOCUMENTS:
        named = re.findall(r"python -m local ([a-z-]+)", document.read_text())
        assert set(named) <= set(cli.COMMANDS), document


def test_every_make_target_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        named: Any = re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", document.read_text(), re.MULTILINE)
        assert {name for pair in named for name in pair if name} <= targets


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text() + (ROOT / "package.json").read_text()
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    names = re.findall(r'^    "([a-z-]+)(?:>=|": "\d)', text, re.MULTILINE)
    assert len(names) > 15
    assert [name for name in names if name not in contributing] == []
