"""The fault load's model: by hand against docs/rules.md, and against the app's own decision, change by change."""

import random
from collections import Counter
from datetime import UTC, datetime
from json import loads
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.targets import Targets
from shared.domain.exports.transition import transition
from shared.domain.instants import parse_instant
from shared.domain.profile.change import parse_change
from shared.domain.profile.state import ProfileState
from tests.faults.load.changes import generate
from tests.faults.load.configuration import configuration as load_configuration
from tests.faults.load.messages import messages
from tests.faults.load.model import Model
from tests.faults.load.profiles import ModelProfile, canonical
from tests.kit.builders import NOW, at, configuration, destination, ids, item, membership

HAND_MADE: dict[str, Any] = {
    "audiences": [{"id": "a", "mergePolicyId": "m"}, {"id": "shown", "mergePolicyId": "m"}, {"id": "z"}],
    "destinations": [destination("d"), destination("skips"), destination("deaf"), destination("paused")],
    "dataflows": [
        {"id": "d", "audiences": ["a", "b"], "attributes": ["/x", "y.deep"]},
        {"id": "skips", "audiences": ["a"], "attributes": ["/x"], "skipSameValueWrites": True},
        {"id": "deaf", "audiences": ["a"], "attributes": ["/x"], "triggers": {"attribute": False, "identity": False}},
        {"id": "paused", "audiences": ["a"], "attributes": ["/x"], "enabled": False},
    ],
}
QUALIFIES = item("p", 1, segmentMembership=membership(1))
ALL_ARE_TOLD = [("d", "audience"), ("skips", "audience"), ("deaf", "audience")]


def told(*changes: dict[str, Any], before: tuple[dict[str, Any], ...] = (QUALIFIES,)) -> list[tuple[str, str]]:
    """(destination, reasons) of the exports that `changes` call for, after those of `before`."""
    model, profile = Model(HAND_MADE), ModelProfile()
    for change in before:
        model.apply(profile, change)
    return [
        (export.destination, ",".join(export.reasons)) for change in changes for export in model.apply(profile, change)
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"segmentMembership": membership(2, "exited")},
            [("d", "audience"), ("skips", "audience"), ("deaf", "audience")],
        ),
        ({"segmentMembership": membership(2, "existing")}, []),
        ({"segmentMembership": membership(2, audience="b")}, [("d", "audience")]),
        ({"segmentMembership": membership(2, "exiting", "b")}, []),
        ({"segmentMembership": membership(2, audience="shown")}, []),
        ({"attributes": {"x": 1}}, [("d", "attribute"), ("skips", "attribute")]),
        ({"attributes": {"x": None}}, [("d", "attribute")]),
        ({"attributes": {"y": {"deep": {"er": 1}}}}, [("d", "attribute")]),
        ({"attributes": {"y": None}}, [("d", "attribute")]),
        ({"attributes": {"y": {"other": 1}}}, []),
        ({"identityMap": ids("1")}, [("d", "identity"), ("skips", "identity")]),
        ({"identityMap": {}}, []),
    ],
)
def test_who_must_hear_of_what(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(item("p", 2, **change)) == expected


def test_only_members_are_told_of_attributes_and_identities() -> None:
    leaves = item("p", 2, segmentMembership=membership(2, "exited"))
    assert told(item("p", 3, attributes={"x": 1}, identityMap=ids("1")), before=(QUALIFIES, leaves)) == []
    assert told(item("p", 1, attributes={"x": 1}, identityMap=ids("1")), before=()) == []


def test_the_end_is_the_last_change_that_had_to_be_exported() -> None:
    changes = [
        item("p", 4, segmentMembership=membership(4, audience="shown")),
        item("p", 3, attributes={"x": {"left": 2, "right": None}, "unmapped": 1}),
        item("p", 2, attributes={"x": {"left": 1, "right": 1}}, identityMap=ids("1")),
        QUALIFIES,
        item("other", 1, attributes={"x": 1}),
    ]
    model = Model(HAND_MADE, changes)

    assert model.expected()["d", "p"] == {
        "x": {"left": 2},
        "segmentMembership": {"ups": {"a": {"status": "realized", "lastQualificationTime": at(1)}}},
        "identityMap": {"ecid": [{"id": "1"}]},
    }
    assert set(model.expected()) == {("d", "p"), ("skips", "p"), ("deaf", "p")}
    assert model.calls_for("d", "p")
    assert not model.calls_for("d", "other")
    assert not model.calls_for("paused", "p")


def test_what_no_change_wrote_is_not_explained() -> None:
    model = Model(
        HAND_MADE,
        [
            QUALIFIES,
            item("p", 2, attributes={"x": 1, "unmapped": 1}, identityMap=ids("1")),
            item("other", 3, attributes={"x": 2}),
        ],
    )
    explained = {"x": 1, "segmentMembership": membership(1), "identityMap": ids("1")}
    assert model.explains("d", "p", explained)
    assert model.explains("d", "p", {"segmentMembership": {}, "identityMap": {}})
    for wrong in (
        {"x": 2},
        {"x": True},
        {"unmapped": 1},
        {"segmentMembership": membership(2)},
        {"segmentMembership": membership(1, "exited")},
        {"identityMap": ids("2")},
    ):
        assert not model.explains("d", "p", explained | wrong), wrong


KEYS = st.sampled_from(["x", "y", "deep"])
VALUES: st.SearchStrategy[Any] = st.one_of(st.none(), st.integers(0, 1), st.booleans(), st.just({}), st.just([None]))
PATCHES = st.dictionaries(
    KEYS, st.recursive(VALUES, lambda below: st.dictionaries(KEYS, below, max_size=2), max_leaves=4)
)
CHANGES = st.fixed_dictionaries(
    {"attributes": PATCHES},
    optional={
        "identityMap": st.sampled_from([None, {}, ids("1"), ids("1", "2"), ids("2", "1")]),
        "segmentMembership": st.builds(
            membership, st.integers(0, 3), st.sampled_from(["realized", "exited"]), st.sampled_from(["a", "b", "shown"])
        ),
    },
)


@settings(max_examples=100)
@given(written=st.lists(CHANGES, min_size=1, max_size=8))
def test_in_order_the_app_decides_the_same(written: list[dict[str, Any]]) -> None:
    model, profile = Model(HAND_MADE), ModelProfile()
    targets, state = Targets.of(configuration(HAND_MADE)), ProfileState("p")
    for second, fields in enumerate(written):
        change = item("p", second, **fields)
        exports = transition(state, [(0, parse_change(change, NOW))], f"message {second}", targets, NOW).exports
        decided = [(each.destination.id, each.reasons, canonical(loads(each.body))) for each in exports]
        required = [(each.destination, each.reasons, canonical(each.body)) for each in model.apply(profile, change)]
        assert sorted(decided) == sorted(required)


@pytest.mark.parametrize("seed", range(8))
def test_the_generated_load_ends_the_same_in_any_order(seed: int) -> None:
    """What the whole load relies on, without anything that could break: the app's core on shuffled messages."""
    rng = random.Random(seed)
    generated = generate(seed, changes=600, profiles=40, start=datetime(2026, 1, 11, 21, tzinfo=UTC))
    document = load_configuration()
    model, targets = Model(document, generated.all), Targets.of(configuration(document))
    states: dict[str, ProfileState] = {}
    shown: dict[tuple[str, str], bytes] = {}
    sent = messages(generated.load, rng, window=300) + messages(generated.closing, rng, window=300)
    for number, message in enumerate(sent):
        for index, change in enumerate(sorted(message.changes, key=lambda change: parse_instant(change["occurredAt"]))):
            state = states.setdefault(change["profileId"], ProfileState(change["profileId"]))
            parsed = parse_change(change, NOW)
            for export in transition(state, [(index, parsed)], f"message {number}", targets, NOW).exports:
                shown[export.destination.id, export.profile_id] = export.body
                assert model.explains(export.destination.id, export.profile_id, loads(export.body))

    expected = model.expected()
    assert {pair: canonical(loads(body)) for pair, body in shown.items()} == {
        pair: canonical(body) for pair, body in expected.items()
    }
    assert all(model.calls_for(*pair) for pair in expected)


def test_a_load_is_the_same_for_the_same_seed_and_has_all_it_promises() -> None:
    start = datetime(2026, 1, 11, tzinfo=UTC)
    generated = generate(3, changes=1_000, profiles=50, start=start)
    assert generated == generate(3, changes=1_000, profiles=50, start=start)
    assert len(generated.all) == 1_000
    assert len({change["profileId"] for change in generated.all}) == 50
    sent = messages(generated.load, random.Random(3), window=100)
    times = Counter(change["occurredAt"] for message in sent for change in message.changes)
    assert times.keys() == {change["occurredAt"] for change in generated.load}
    assert sum(times.values()) == pytest.approx(1.1 * len(generated.load), rel=0.02)
    assert max(len(message.changes) for message in sent) > 10
