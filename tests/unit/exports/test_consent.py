"""Consent: who withholds it is not exported, who gives it is told of, who withdraws it is told of once more."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.exports import decision
from shared.domain.exports.consent import apply_change, consents
from shared.domain.exports.expiry import expire
from shared.domain.exports.export import Export
from shared.domain.exports.transition import Transition
from shared.domain.instants import DAY
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, START, change, ids, membership, play, targets_of, told

ASKS = {"id": "d", "audiences": ["a"], "attributes": ["/x"], "consent": "consents.marketing.email.val"}
IN_A, LEFT_A = ({"segmentMembership": membership(1, status)} for status in ("realized", "exited"))
X = {"attributes": {"x": 1}}
DELETED = {"deleted": True}


def says(value: Any) -> dict[str, Any]:
    return {"attributes": {"consents": {"marketing": {"email": {"val": value}}}}}


YES, NO = says("y"), says("n")


def after(*changes: dict[str, Any], **dataflow: Any) -> Transition:
    """What the last of `changes` does, one a second, each in a message of its own."""
    state, targets = ProfileState("p"), targets_of(ASKS | dataflow)
    for second, fields in enumerate(changes):
        result = play(state, targets, change(second, **fields), message_id=f"m{second}")
    return result


def reasons(result: Transition) -> list[str]:
    return [",".join(export.reasons) for export in result.exports]


@pytest.mark.parametrize("value", [True, "y", "Y", "yes", "Yes"])
def test_what_is_consent(value: Any) -> None:
    assert reasons(after(IN_A, says(value))) == ["consent"]


@pytest.mark.parametrize("value", [None, False, 1, 1.0, "n", "true", "", " y", ["y"], [True], {}, {"val": "y"}])
def test_what_is_no_consent(value: Any) -> None:
    result = after(IN_A, says(value), X)
    assert (result.exports, result.skipped) == ([], [("d", decision.NO_CONSENT)])


@pytest.mark.parametrize(
    ("changes", "told_of"),
    [
        # never given
        ([IN_A], []),
        ([IN_A, LEFT_A], []),
        ([IN_A, {"identityMap": ids("1")}], []),
        ([IN_A, NO], []),
        ([IN_A, DELETED], []),
        # given
        ([YES, IN_A], ["audience"]),
        ([YES | IN_A], ["audience,consent"]),
        ([IN_A, YES], ["consent"]),
        ([IN_A, YES, YES], []),
        ([IN_A, YES, says("yes")], []),
        ([IN_A, {"attributes": YES["attributes"] | {"x": 1}}], ["attribute,consent"]),
        ([IN_A, YES | {"identityMap": ids("1")}], ["identity,consent"]),
        ([YES], []),
        ([IN_A, LEFT_A, YES], []),
        ([IN_A, YES, X], ["attribute"]),
        ([IN_A, YES, LEFT_A], ["audience"]),
        # withdrawn
        ([IN_A, YES, NO], ["consent"]),
        ([IN_A, YES, NO, NO], []),
        ([IN_A, YES, NO, says(None)], []),
        ([IN_A, YES, NO, X], []),
        ([IN_A, YES, NO, LEFT_A], []),
        ([IN_A, YES, {"attributes": NO["attributes"] | {"x": 1}}], ["consent"]),
        ([IN_A, YES, NO | LEFT_A], ["consent"]),
        ([IN_A, YES, NO | {"identityMap": ids("1")}], ["consent"]),
        ([IN_A, YES, LEFT_A, NO], ["consent"]),
        ([YES, NO], []),
        ([YES, LEFT_A, NO], []),
        ([YES, NO | IN_A], []),
        # given again
        ([IN_A, YES, NO, YES], ["consent"]),
        ([IN_A, YES, NO, YES, NO], ["consent"]),
        # with what is around it
        ([IN_A, YES, says(None)], ["consent"]),
        ([IN_A, YES, says(["y"])], ["consent"]),
        ([IN_A, YES, says({"y": True})], ["consent"]),
        ([IN_A, YES, {"attributes": {"consents": None}}], ["consent"]),
        ([IN_A, YES, {"attributes": {"consents": {"marketing": "n"}}}], ["consent"]),
        ([IN_A, YES, {"attributes": {"consents": {"marketing": {}}}}], []),
        ([IN_A, YES, {"attributes": {"consents": {"marketing": {"sms": {"val": "n"}}}}}], []),
        ([IN_A, {"attributes": {"consents": "y"}}, YES], ["consent"]),
        # deleted
        ([IN_A, YES, DELETED], ["consent"]),
        ([IN_A, YES, LEFT_A, DELETED], ["consent"]),
        ([IN_A, YES, NO, DELETED], []),
        ([YES, DELETED], []),
    ],
)
def test_what_is_told(changes: list[dict[str, Any]], told_of: list[str]) -> None:
    assert reasons(after(*changes)) == told_of


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([IN_A], decision.NO_CONSENT),
        ([IN_A, YES, NO, X], decision.NO_CONSENT),
        ([IN_A, YES, NO, LEFT_A], decision.NO_CONSENT),
        ([YES, NO], decision.NO_CONSENT),
        ([YES], decision.NOT_REALIZED),
    ],
)
def test_why_it_is_not_told(changes: list[dict[str, Any]], why: str) -> None:
    assert after(*changes).skipped == [("d", why)]


def test_no_trigger_switches_it_off() -> None:
    off = {"triggers": {"audience": False, "attribute": False, "identity": False}}
    assert reasons(after(IN_A, YES, **off)) == ["consent"]
    assert reasons(after(IN_A, YES, NO, **off)) == ["consent"]
    assert reasons(after(IN_A, YES, DELETED, **off)) == ["consent"]


def body_of(export: Export) -> Any:
    return json.loads(export.body)


def test_a_withdrawal_shows_the_exit_and_no_attributes() -> None:
    catalog = [{"id": each, "mergePolicyId": "m"} for each in "ab"]
    targets, state = targets_of(ASKS, audiences=catalog), ProfileState("p")
    both = {"ups": membership(1)["ups"] | membership(1, audience="b")["ups"]}
    given = YES["attributes"] | {"x": 1}
    (shown,) = play(state, targets, change(1, segmentMembership=both, attributes=given, identityMap=ids("1"))).exports
    assert body_of(shown)["x"] == 1

    (export,) = play(state, targets, change(2, **NO), message_id="no").exports

    exited = {"status": "exited", "lastQualificationTime": "2026-01-11T21:00:01Z"}
    assert body_of(export) == {"segmentMembership": {"ups": {"a": exited, "b": exited}}, "identityMap": ids("1")}
    assert state.memberships["ups", "a"].realized


def test_others_hear_what_they_always_hear() -> None:
    targets = targets_of(
        ASKS, {"id": "e", "audiences": ["a"], "attributes": ["/x"]}, ASKS | {"id": "f", "consent": "f"}
    )
    state = ProfileState("p")
    heard = [
        told(play(state, targets, change(second, **fields), message_id=f"m{second}").exports)
        for second, fields in enumerate([IN_A, YES, X, NO, {"attributes": {"f": True}}, DELETED])
    ]
    assert heard == [
        [("e", "audience")],
        [("d", "consent")],
        [("d", "attribute"), ("e", "attribute")],
        [("d", "consent")],
        [("f", "consent")],
        [("e", "audience"), ("f", "consent")],
    ]


def test_what_comes_late_takes_no_consent_away() -> None:
    state, targets = ProfileState("p"), targets_of(ASKS)
    play(state, targets, change(5, **IN_A), message_id="in")
    play(state, targets, change(6, **YES), message_id="yes")
    late = play(state, targets, change(2, **NO), message_id="no")
    assert (late.altered, late.exports) == (False, [])


def test_a_redelivery_after_a_withdrawal_tells_the_exit() -> None:
    state, targets = ProfileState("p"), targets_of(ASKS)
    changes = [change(1, **IN_A), change(2, attributes=YES["attributes"] | {"x": 1})]
    play(state, targets, *changes)
    (withdrawn,) = play(state, targets, change(3, **NO), message_id="no").exports

    (again,) = play(state, targets, *changes).exports

    assert (again.body, again.message_id) == (withdrawn.body, withdrawn.message_id)


@pytest.mark.parametrize("enabled", [True, False])
def test_whoever_consented_owes_a_last_export(enabled: bool) -> None:
    for consent, owed in ((YES, ("d",)), (NO, ())):
        state = ProfileState("p")
        play(state, targets_of(ASKS), change(1, **IN_A | consent))
        play(state, targets_of(ASKS | {"enabled": enabled}), change(2, **DELETED), message_id="delete")
        assert state.deletion is not None
        assert state.deletion.owed == owed


def test_who_lives_on_after_a_late_deletion_without_the_consent_from_before_is_told_of_as_gone() -> None:
    state, targets = ProfileState("p"), targets_of(ASKS)
    play(state, targets, change(1, **YES), message_id="yes")
    play(state, targets, change(3, **IN_A), message_id="in")
    play(state, targets, change(4, **X), message_id="x")
    (export,) = play(state, targets, change(2, **DELETED), message_id="delete").exports
    assert told([export]) == [("d", "consent")]
    assert b'"x"' not in export.body
    assert b"realized" not in export.body


def test_who_lives_on_with_a_later_consent_is_told_of_the_audiences_left() -> None:
    state = ProfileState("p")
    targets = targets_of(ASKS | {"triggers": {"audience": False}})
    play(state, targets, change(1, **IN_A), message_id="in")
    play(state, targets, change(3, **YES), message_id="yes")
    result = play(state, targets, change(2, **DELETED), message_id="delete")
    assert (result.exports, result.skipped) == ([], [("d", decision.TRIGGER_OFF)])
    assert state.deletion is not None
    assert state.deletion.owed == ()


@pytest.mark.parametrize(("given", "told_of"), [(YES, ["audience"]), (NO, [])])
def test_a_membership_that_lapses_is_told_of_with_consent_only(given: dict[str, Any], told_of: list[str]) -> None:
    targets = targets_of(ASKS, audiences=[{"id": "a", "origin": "custom-upload"}])
    state = ProfileState("p")
    play(state, targets, change(0, segmentMembership=membership(0), **given))
    assert reasons(expire(state, targets, "sweep", START + 31 * DAY)) == told_of


def test_a_paused_dataflow_has_withdrawals_kept_for_it_and_catches_up_on_the_rest() -> None:
    paused = {"enabled": False}
    assert reasons(after(IN_A, YES, NO, **paused)) == ["consent"]
    assert reasons(after(IN_A, YES, LEFT_A, NO, **paused)) == ["consent"]
    assert reasons(after(IN_A, YES, DELETED, **paused)) == ["consent"]
    assert reasons(after(IN_A, NO, **paused)) == []
    given = after(IN_A, YES, **paused)
    assert (given.exports, given.skipped) == ([], [("d", decision.PAUSED)])


def test_a_change_looks_only_at_consents_that_it_can_touch(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    def noted(state: ProfileState, target: Any) -> bool:
        looked_at.append(target.id)
        return consents(state, target)

    monkeypatch.setattr("shared.domain.exports.consent.consents", noted)
    targets = targets_of(*(ASKS | {"id": f"d{number}", "consent": f"/own/d{number}"} for number in range(9)))
    beside: list[dict[str, Any]] = [{"x": 1}, {"own": {"other": "y", "d": "y"}}, {"own": {}}]
    for attributes in beside:
        apply_change(ProfileState("p"), change(1, attributes=attributes), targets, NOW)
    assert looked_at == []
    apply_change(ProfileState("p"), change(1, attributes={"own": {"d3": {"deep": 1}}}), targets, NOW)
    assert set(looked_at) == {"d3"}
    apply_change(ProfileState("p"), change(1, attributes={"own": None}), targets, NOW)
    assert set(looked_at) == set(targets.by_id)


VALUES = st.sampled_from(["y", "n", None, True, ["y"], {}, {"val": "y"}, {"val": "n"}, {"val": None}])
CHANGES = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.fixed_dictionaries(
            {},
            optional={
                "attributes": st.dictionaries(st.sampled_from(["c", "x"]), VALUES, max_size=2),
                "segmentMembership": st.builds(
                    membership, st.just(1), st.sampled_from(["realized", "exited"]), st.sampled_from("ab")
                ),
                "identityMap": st.sampled_from([{}, ids("1"), ids("2")]),
                "deleted": st.sampled_from([False, False, False, True]),
            },
        ),
    ),
    min_size=1,
    max_size=12,
)


def shows_consent(attributes: dict[str, Any]) -> bool:
    value = attributes.get("c")
    return isinstance(value, dict) and value.get("val") == "y"


@settings(max_examples=100)
@given(changes=CHANGES, data=st.data())
def test_nothing_is_shown_of_a_profile_without_consent(changes: list[tuple[int, dict[str, Any]]], data: Any) -> None:
    """In whatever order changes come, and again: what a body shows is what the profile's own attributes allow."""
    targets = targets_of({"id": "d", "audiences": ["a", "b"], "attributes": ["/x"], "consent": "/c/val"})
    state = ProfileState("p")
    consented = False
    bodies: dict[int, bytes] = {}
    for number, (second, fields) in enumerate(changes + data.draw(st.lists(st.sampled_from(changes), max_size=3))):
        item = data.draw(st.sampled_from([f"m{number}", "m0"]))
        result = play(state, targets, change(second, **fields), message_id=item, now=NOW + number)
        allowed = shows_consent(state.attributes.resolve())
        for export in result.exports:
            body = body_of(export)
            assert allowed or body.keys() == {"segmentMembership", "identityMap"}
            assert allowed or b'"realized"' not in export.body
            assert consented or allowed, "told of somebody who never consented"
            assert bodies.setdefault(export.version, export.body) == export.body
        consented = consented or allowed
