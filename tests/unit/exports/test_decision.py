"""Who hears of a change, and why: rule by rule, and against a model that looks at everything."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.targets import Targets
from shared.domain.exports import decision
from shared.domain.exports.decision import Decision, decide
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, change, ids, membership, targets_of


def decided(targets: Targets, *changes: dict[str, Any], last: dict[str, Any]) -> Decision:
    """The decision on `last`, after `changes`, one a second."""
    state = ProfileState("p")
    for second, fields in enumerate(changes):
        state.apply(change(second, **fields), NOW)
    return decide(state.apply(change(len(changes), **last), NOW), state, targets)


def in_audience(status: str = "realized", audience: str = "a") -> dict[str, Any]:
    return {"segmentMembership": membership(1, status, audience)}


def writes(**attributes: Any) -> dict[str, Any]:
    return {"attributes": attributes}


DATAFLOW = {"id": "d", "audiences": ["a"], "attributes": ["/x", "/o/deep"]}


@pytest.mark.parametrize(
    ("before", "last", "reasons"),
    [
        ([], in_audience(), ["audience"]),
        ([in_audience()], in_audience("exited"), ["audience"]),
        ([in_audience(), in_audience("exited")], in_audience(), ["audience"]),
        ([in_audience()], in_audience("existing"), None),
        ([], in_audience("exited"), None),
        ([], in_audience(audience="unmapped"), None),
        ([in_audience()], writes(x=1), ["attribute"]),
        ([in_audience(), writes(x=1)], writes(x=1), ["attribute"]),
        ([in_audience(), writes(x=1)], writes(x=None), ["attribute"]),
        ([in_audience()], writes(o=1), ["attribute"]),
        ([in_audience()], writes(o={"deep": {"er": 1}}), ["attribute"]),
        ([in_audience()], writes(o={"other": 1}), None),
        ([in_audience()], writes(unmapped=1), None),
        ([in_audience()], {"identityMap": ids("1")}, ["identity"]),
        ([in_audience(), {"identityMap": ids("1")}], {"identityMap": ids("1")}, None),
        ([in_audience(), {"identityMap": ids("1")}], {"identityMap": {}}, ["identity"]),
        ([], in_audience() | writes(x=1) | {"identityMap": ids("1")}, ["audience", "attribute", "identity"]),
    ],
)
def test_what_determines_an_export(
    before: list[dict[str, Any]], last: dict[str, Any], reasons: list[str] | None
) -> None:
    exports = decided(targets_of(DATAFLOW), *before, last=last).exports
    assert exports == ({"d": reasons} if reasons else {})


@pytest.mark.parametrize(
    ("dataflow", "before", "last", "why"),
    [
        ({}, [], writes(x=1), decision.NOT_REALIZED),
        ({}, [in_audience(audience="unmapped")], writes(x=1), decision.NOT_REALIZED),
        ({}, [in_audience(), in_audience("exited")], writes(x=1), decision.NOT_REALIZED),
        ({"triggers": {"attribute": False}}, [in_audience()], writes(x=1), decision.TRIGGER_OFF),
        ({"triggers": {"audience": False}}, [], in_audience(), decision.TRIGGER_OFF),
        ({"triggers": {"identity": False}}, [in_audience()], {"identityMap": ids("1")}, decision.TRIGGER_OFF),
        ({"skipSameValueWrites": True}, [in_audience(), writes(x=1)], writes(x=1), decision.SAME_VALUE),
        ({"enabled": False}, [], in_audience(), decision.PAUSED),
    ],
)
def test_why_a_destination_hears_nothing(
    dataflow: dict[str, Any], before: list[dict[str, Any]], last: dict[str, Any], why: str
) -> None:
    result = decided(targets_of(DATAFLOW | dataflow), *before, last=last)
    assert (result.exports, result.skipped) == ({}, [("d", why)])


@pytest.mark.parametrize("value", [2, True, 1.0, "1", None, {"y": None}, [1]])
def test_another_value_is_exported_where_same_values_are_not(value: Any) -> None:
    targets = targets_of(DATAFLOW | {"skipSameValueWrites": True})
    assert decided(targets, in_audience(), writes(x=1), last=writes(x=value)).exports == {"d": ["attribute"]}


EMAIL = ids("j@acme.com", namespace="email")


@pytest.mark.parametrize(
    ("namespaces", "before", "after", "exported"),
    [
        (None, ids("1"), ids("1") | EMAIL, True),
        (["email"], ids("1"), ids("1") | EMAIL, True),
        (["email"], EMAIL, ids("1"), True),
        (["email", "phone"], EMAIL | ids("1"), None, True),
        (["email"], ids("1"), ids("2"), False),
        (["email"], ids("1") | EMAIL, ids("1", "2") | EMAIL, False),
        ([], ids("1"), EMAIL, False),
    ],
)
def test_identities_count_in_the_namespaces_that_are_exported(
    namespaces: list[str] | None, before: dict[str, Any], after: dict[str, Any] | None, exported: bool
) -> None:
    targets = targets_of(DATAFLOW, identityNamespaces=namespaces)
    state = ProfileState("p")
    state.apply(change(1, **in_audience(), identityMap=before), NOW)
    effects = state.apply(change(2, identityMap=after), NOW)

    result = decide(effects, state, targets)

    assert result.exports == ({"d": ["identity"]} if exported else {})
    if not exported:
        assert result.skipped == [(None, decision.UNMAPPED)]
        assert decision.unconcerned(targets.by_id["d"], effects) == [decision.NO_IDENTITY]


def test_whoever_comes_after_a_deletion_has_other_identities_in_the_namespaces_of_before() -> None:
    state = ProfileState("p")
    state.apply(change(1, **in_audience(), identityMap=ids("1") | EMAIL), NOW)
    state.apply(change(2, deleted=True), NOW)
    effects = state.apply(change(3, **in_audience(), identityMap=ids("1", namespace="phone")), NOW)
    assert effects.identities_changed == {"ecid", "email", "phone"}


def test_a_removal_of_what_is_absent_is_a_same_value_write() -> None:
    targets = targets_of(DATAFLOW | {"skipSameValueWrites": True})
    assert decided(targets, in_audience(), last=writes(x=None)).skipped == [("d", decision.SAME_VALUE)]


def test_a_change_that_concerns_nobody_says_so() -> None:
    state = ProfileState("p")
    first = change(1, attributes={"y": 1})
    assert decide(state.apply(first, NOW), state, targets_of(DATAFLOW)).skipped == [(None, decision.UNMAPPED)]
    assert decide(state.apply(first, NOW), state, targets_of(DATAFLOW)).skipped == [(None, decision.STALE)]


PATHS = ["/x", "/y", "/o", "/o/x", "/o/x/y"]
DATAFLOWS = st.lists(
    st.fixed_dictionaries(
        {
            "audiences": st.lists(st.sampled_from("abc"), unique=True, max_size=3),
            "attributes": st.lists(st.sampled_from(PATHS), unique=True, max_size=3),
            "triggers": st.fixed_dictionaries({name: st.booleans() for name in ("audience", "attribute", "identity")}),
        }
    ),
    max_size=4,
)
PATCHES = st.recursive(
    st.dictionaries(st.sampled_from("xyo"), st.integers(0, 1) | st.none(), max_size=2),
    lambda below: st.dictionaries(st.sampled_from("xyo"), below, max_size=2),
    max_leaves=3,
)
CHANGES = st.lists(
    st.fixed_dictionaries(
        {"attributes": PATCHES},
        optional={
            "segmentMembership": st.builds(
                membership, st.just(1), st.sampled_from(["realized", "exited"]), st.sampled_from("abc")
            ),
            "identityMap": st.sampled_from([{}, ids("1"), ids("2")]),
        },
    ),
    min_size=1,
    max_size=6,
)


def leaves(patch: dict[str, Any], path: str = "") -> list[str]:
    return [
        leaf
        for key, value in patch.items()
        for leaf in (leaves(value, f"{path}/{key}") if isinstance(value, dict) and value else [f"{path}/{key}"])
    ]


def touches(leaf: str, mapped: str) -> bool:
    return f"{leaf}/".startswith(f"{mapped}/") or f"{mapped}/".startswith(f"{leaf}/")


def expected(
    dataflow: dict[str, Any], written: dict[str, Any], before: dict[str, str], after: dict[str, str], identities: Any
) -> list[str]:
    """docs/rules.md, "What triggers an export", for changes in the order of their times, one dataflow at a time."""
    member = any(after.get(audience) == "realized" for audience in dataflow["audiences"])
    status = any(
        before.get(audience) != after.get(audience) and (before.get(audience), after.get(audience)) != (None, "exited")
        for audience in dataflow["audiences"]
    )
    attribute = any(touches(leaf, path) for leaf in leaves(written["attributes"]) for path in dataflow["attributes"])
    identity = "identityMap" in written and written["identityMap"] != (identities or {})
    asked = {"audience": status, "attribute": attribute and member, "identity": identity and member}
    return [reason for reason, holds in asked.items() if holds and dataflow["triggers"][reason]]


@settings(max_examples=150)
@given(dataflows=DATAFLOWS, changes=CHANGES)
def test_touches_exactly_what_the_model_says(dataflows: list[dict[str, Any]], changes: list[dict[str, Any]]) -> None:
    named = {f"d{index}": dataflow for index, dataflow in enumerate(dataflows)}
    targets = targets_of(*({"id": dataflow_id, **dataflow} for dataflow_id, dataflow in named.items()))
    state = ProfileState("p")
    status: dict[str, str] = {}
    identities: Any = None
    for second, written in enumerate(changes):
        before = dict(status)
        for audience, entry in written.get("segmentMembership", {}).get("ups", {}).items():
            status[audience] = entry["status"]
        model = {
            dataflow_id: reasons
            for dataflow_id, dataflow in named.items()
            if (reasons := expected(dataflow, written, before, status, identities))
        }
        identities = written.get("identityMap", identities)

        effects = state.apply(change(second, **written), NOW)

        assert decide(effects, state, targets).exports == model
