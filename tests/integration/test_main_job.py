"""The main job on real parts: queue messages go in, the hubs are read back with the plain SDK."""

import asyncio
import base64
import copy
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from json_merge_patch import merge
from jsonschema import Draft7Validator

from local.broker.control import Fault
from local.eventually import eventually
from local.exports import Export
from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from shared.domain.exports.contract.contract import contract_of
from tests.kit import running_host
from tests.kit.builders import at, configuration, destination, ids, item, membership
from tests.kit.running_relay import RunningRelay

CONFIGURATION = {
    "audiences": [{"id": "a", "mergePolicyId": "m"}, {"id": "b", "mergePolicyId": "m"}],
    "destinations": [destination("first"), destination("second")],
    "dataflows": [
        {"id": "first", "audiences": ["a"], "attributes": ["/x", "/person/name"]},
        {"id": "second", "audiences": ["b"], "attributes": ["/y"], "skipSameValueWrites": True},
    ],
}
pytestmark = pytest.mark.runs_the_app
QUALIFIES = {"segmentMembership": membership(1)}
SECRET = "Do-Not-Log-Me"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    with LocalStack(tmp_path_factory.mktemp("main-job"), hubs={"first": 4, "second": 4}) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        asyncio.run(relay.start(lease_seconds=3))
        yield relay


def reasons(exports: list[Export]) -> list[tuple[str, str]]:
    return [(export.hub, export.properties["reason"]) for export in exports]


async def test_the_life_of_a_profile(relay: RunningRelay) -> None:
    life = [
        {"segmentMembership": membership(1), "attributes": {"x": 1}, "identityMap": ids("1")},
        {"attributes": {"x": 2}},
        {"identityMap": ids("1", "2")},
        {"attributes": {"x": 2}},
        {"attributes": {"unmapped": 1}},
        {"segmentMembership": membership(6, "exited")},
        {"attributes": {"x": 3}},
    ]
    for second, fields in enumerate(life):
        await relay.send(item("life", second, **fields))
        await relay.handled()

    exports = await relay.exports("life")

    assert reasons(exports) == [
        ("first", reason)
        for reason in ("audience,attribute,identity", "attribute", "identity", "attribute", "audience")
    ]
    assert exports[-1].body == {
        "x": 2,
        "segmentMembership": {"ups": {"a": {"status": "exited", "lastQualificationTime": at(6)}}},
        "identityMap": {"ecid": [{"id": "1"}, {"id": "2"}]},
    }
    contract = contract_of(configuration(CONFIGURATION), "first")
    for export in exports:
        Draft7Validator(contract.body_schema).validate(export.body)
        Draft7Validator(contract.properties_schema).validate(export.properties)
    versions = [export.properties["profileVersion"] for export in exports]
    assert versions == sorted(set(versions))


async def test_upstream_writes_the_catalog_among_changes(relay: RunningRelay) -> None:
    """The export lists an unmapped audience of the same merge policy, which the catalog did not know before."""
    memberships = {"ups": membership(1)["ups"] | membership(1, audience="from-upstream")["ups"]}
    audience = {"audience": {"id": "from-upstream", "name": "Ü", "mergePolicyId": "m", "updatedAt": at(0)}}
    await relay.send([item("catalog", 1, segmentMembership=memberships), audience, {"audience": {"id": ""}}])
    await relay.handled()

    (export,) = await relay.exports("catalog")
    assert export.body["segmentMembership"]["ups"].keys() == {"a", "from-upstream"}
    (reason,) = [reason for raw, reason in (await relay.quarantine()).items() if b"audience" in raw]
    assert reason.startswith("item 2: /audience/id: expected a string that is not empty")


def deep(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"a": nested}
    return nested


def too_deep_for_a_parser() -> str:
    bad = (
        '{"profileId":"bad-deep","occurredAt":"' + at(1) + '","attributes":' + '{"a":' * 9_000 + "1" + "}" * 9_000 + "}"
    )
    return '{"changes":[' + json.dumps(item("beside-deep", 1, **QUALIFIES)) + "," + bad + "]}"


BAD_ITEMS = {
    "wrong type": (item("bad", 1, attributes=[1]), "/attributes: expected an object"),
    "no profile id": ({"occurredAt": at(1)}, "/profileId: expected this field, which is missing"),
    "200 levels": (item("bad", 1, attributes=deep(200)), "expected at most 64 levels of nesting"),
    "future": (
        item("bad", 1) | {"occurredAt": "2199-01-01T00:00:00Z"},
        "/occurredAt: expected at most 5 minutes ahead",
    ),
    "unknown status": (
        item("bad", 1, segmentMembership=membership(1, "qualified")),
        "/segmentMembership/ups/a/status: expected 'realized', 'exited', 'existing' or 'exiting'",
    ),
    "not an object": (7, "expected an object"),
    "misspelt field": (item("bad", 1, attribute={}), "/attribute: expected no such field"),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
async def test_a_bad_item_ends_in_quarantine_and_its_neighbours_are_exported(relay: RunningRelay, name: str) -> None:
    bad, reason = BAD_ITEMS[name]
    neighbours = [f"before {name}", f"after {name}"]
    changes = [item(neighbours[0], 1, **QUALIFIES), bad, item(neighbours[1], 1, **QUALIFIES)]

    await relay.send({"changes": changes})
    await relay.handled()

    assert (await relay.quarantine())[json.dumps(bad).encode()].startswith(f"item 1: {reason}")
    assert len(await relay.exports(*neighbours)) == 2


@pytest.mark.parametrize(
    ("message", "raw", "reason"),
    [
        ("!not base64!", b"!not base64!", "expected JSON that starts with { or [, or base64 of it"),
        ('{"profileId": "p",', b'{"profileId": "p",', "expected JSON: "),
        (base64.b64encode(b'{"\xff"}').decode(), base64.b64encode(b'{"\xff"}'), "expected UTF-8"),
        (base64.b64encode(b"nothing").decode(), base64.b64encode(b"nothing"), "expected JSON that starts with"),
    ],
)
async def test_a_message_that_is_no_batch_of_changes_ends_in_quarantine_whole(
    relay: RunningRelay, message: str, raw: bytes, reason: str
) -> None:
    await relay.send(message)
    await relay.handled()
    assert (await relay.quarantine())[raw].startswith(reason)


async def test_an_item_too_deep_for_the_parser_does_not_hold_up_its_neighbour(relay: RunningRelay) -> None:
    await relay.send(too_deep_for_a_parser())
    await relay.handled()
    assert len(await relay.exports("beside-deep")) == 1
    assert any(b"bad-deep" in raw for raw in await relay.quarantine())


@pytest.mark.parametrize("encoded", [False, True])
async def test_the_largest_item_that_fits_a_message_is_exported(relay: RunningRelay, encoded: bool) -> None:
    profile_id = f"largest {encoded}"
    limit = 65_536 * 3 // 4 if encoded else 65_536
    empty = json.dumps(item(profile_id, 1, attributes={"x": ""}, **QUALIFIES))
    text = "x" * (limit - len(empty))
    message = json.dumps(item(profile_id, 1, attributes={"x": text}, **QUALIFIES)).encode()
    await relay.send(base64.b64encode(message).decode() if encoded else message.decode())
    await relay.handled()

    (export,) = await relay.exports(profile_id)
    assert export.body["x"] == text


@pytest.mark.parametrize("profile_id", ["a/b\\c#d?e", "two words ", "x" * 1_000, "😀ß\u0301", "'; drop--", "%2F"])
async def test_any_profile_id_works(relay: RunningRelay, profile_id: str) -> None:
    for change in (item(profile_id, 1, **QUALIFIES), item(profile_id, 2, attributes={"x": 1})):
        await relay.send(change)
        await relay.handled()
    exports = await relay.exports(profile_id)
    assert sorted(reasons(exports)) == [("first", "attribute"), ("first", "audience")]
    assert len({export.partition for export in exports}) == 1


async def test_a_profile_beyond_the_entity_limit_is_refused_and_stays_as_it_was(relay: RunningRelay) -> None:
    await relay.send(item("large", 0, **QUALIFIES))
    texts = [base64.b64encode(os.urandom(46_000)).decode() for _ in range(24)]
    await relay.send(*(item("large", n, attributes={"big": {str(n): text}}) for n, text in enumerate(texts, start=1)))
    await relay.send(item("large", 99, attributes={"x": "after"}))
    await relay.handled()

    refused = {raw: reason for raw, reason in (await relay.quarantine()).items() if b'"large"' in raw}
    assert 0 < len(refused) < 10
    assert all("more than one entity takes: remove attributes" in reason for reason in refused.values())
    assert all(json.loads(raw)["attributes"]["big"] for raw in refused)
    assert (await relay.exports("large"))[-1].body["x"] == "after"


@pytest.fixture
def histories() -> dict[str, list[dict[str, Any]]]:
    """For each profile its changes, in the order of their times."""
    rng = random.Random(7)
    paths = [{"x": 0}, {"x": {"deep": 0}}, {"person": {"name": {"first": 0}}}, {"person": {"name": None}}, {"y": 0}]
    return {
        f"storm-{number}": [
            item(f"storm-{number}", 0, segmentMembership=membership(0) | {}),
            *(
                item(f"storm-{number}", second, attributes=with_leaf(rng.choice(paths), second))
                for second in range(1, 16)
            ),
        ]
        for number in range(40)
    }


def with_leaf(shape: Any, value: int) -> Any:
    if isinstance(shape, dict):
        return {key: with_leaf(below, value) for key, below in shape.items()}
    return None if shape is None else value


@running_host.needs_short_lease
async def test_shuffled_doubled_and_killed_nothing_is_lost(
    relay: RunningRelay, histories: dict[str, list[dict[str, Any]]]
) -> None:
    rng = random.Random(11)
    changes = [change for history in histories.values() for change in history]
    changes += rng.sample(changes, 200)
    rng.shuffle(changes)
    for start in range(0, len(changes), 20):
        await relay.send({"changes": changes[start : start + 20]})
        if start in {200, 400}:
            relay.stack.functions_host.kill()
            relay.stack.functions_host.start()
    await relay.handled()

    exports = await relay.exports(*histories)

    assert await relay.poisoned() == 0
    bodies: dict[tuple[str, int, int], str] = {}
    latest: dict[str, Export] = {}
    for export in exports:
        profile_id, version = export.properties["profileId"], export.properties["profileVersion"]
        body = json.dumps(export.body, sort_keys=True)
        assert bodies.setdefault((profile_id, version, export.properties["configRevision"]), body) == body
        if profile_id not in latest or version > latest[profile_id].properties["profileVersion"]:
            latest[profile_id] = export
    for profile_id, history in histories.items():
        attributes: Any = {}
        for change in history:
            attributes = merge(attributes, copy.deepcopy(change.get("attributes", {})))
        expected = {key: value for key, value in (("x", attributes.get("x")),) if value is not None}
        name = attributes.get("person", {}).get("name")
        expected |= {"person": {"name": name}} if name is not None else {}
        body = latest[profile_id].body
        assert {key: body[key] for key in body.keys() - {"segmentMembership", "identityMap"}} == expected
        assert len({export.partition for export in exports if export.properties["profileId"] == profile_id}) == 1


async def test_a_hub_that_fails_costs_nothing(relay: RunningRelay) -> None:
    """Fails the first send, the retries and the probes; what comes meanwhile is parked; then all of it arrives."""
    profiles = [f"away {number}" for number in range(12)]
    relay.stack.broker.set_faults(Fault(kind="reject", hub="first"))
    for number, profile_id in enumerate(profiles):
        await relay.send(item(profile_id, 1, **QUALIFIES))
        if number % 4 == 3:
            await relay.handled()
    rows = await relay.rows("Undelivered")
    assert {row["profileId"] for row in rows} == set(profiles)

    async def told_to_be_down() -> bool:
        rows = [row for row in await relay.rows("Configuration") if row["RowKey"] == "first"]
        return bool(rows) and not rows[0]["recovering"]

    assert await eventually(told_to_be_down)
    assert sum(fault.fired for fault in relay.stack.broker.faults()) > 0
    await relay.send(item(profiles[0], 2, attributes={"x": "newest"}))
    await relay.handled()

    relay.stack.broker.clear_faults()
    await relay.delivered()

    exports = await relay.exports(*profiles)
    assert {export.properties["profileId"] for export in exports} == set(profiles)
    newest = [export for export in exports if export.properties["profileId"] == profiles[0]][-1]
    assert (newest.body["x"], newest.properties["reason"].split(",")[0]) == ("newest", "audience")


async def test_what_is_too_large_for_a_hub_is_dead_at_once_and_can_be_redriven(relay: RunningRelay) -> None:
    relay.stack.broker.set_faults(Fault(kind="size-exceeded", hub="second"))
    await relay.send(item("heavy", 1, segmentMembership=membership(1, audience="b")))
    await relay.handled()
    (row,) = await relay.rows("Undelivered")
    assert (row["state"], row["permanent"], row["attempts"], row["profileId"]) == ("dead", True, 1, "heavy")

    relay.stack.broker.clear_faults()
    settings = relay.stack.directory / "local.settings.json"
    settings.write_text(json.dumps({"Values": relay.stack.settings}))
    command = [sys.executable, "-m", "local", "redrive", "second", "--state-dir", str(relay.stack.directory)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True, cwd=PROJECT)

    assert json.loads(done.stdout) == {"done": {"sent": 1}, "left": 0}
    assert reasons(await relay.exports("heavy")) == [("second", "audience")]


async def test_nothing_personal_is_logged(relay: RunningRelay) -> None:
    personal = {"attributes": {"x": SECRET, "person": {"name": SECRET}}, "identityMap": ids(SECRET)}
    await relay.send(
        item(f"profile {SECRET}", 1, **QUALIFIES, **personal),
        {"profileId": f"bad {SECRET}", "occurredAt": SECRET},
        f"!{SECRET}!",
    )
    await relay.handled()
    assert len(await relay.exports(f"profile {SECRET}")) == 1
    assert '"quarantined": 1' in relay.log
    assert SECRET not in relay.log
