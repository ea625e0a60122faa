"""A profile's state does not depend on the order in which its changes arrive, nor on how often."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.instants import DAY
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, change, ids, membership

SECONDS = st.integers(0, 5)
MEMBERSHIPS = st.builds(membership, SECONDS, st.sampled_from(["realized", "exited", "existing"]), st.sampled_from("ab"))
CHANGES = st.builds(
    change,
    SECONDS,
    attributes=st.dictionaries(st.sampled_from("xy"), st.sampled_from([None, 1, "v", {"z": 1}, {}]), max_size=2),
    identityMap=st.sampled_from([None, {}, ids("1"), ids("1", "2"), ids("2", "1"), ids("1", namespace="email")]),
    segmentMembership=st.one_of(st.just({}), MEMBERSHIPS),
)


@settings(max_examples=150)
@given(changes=st.lists(CHANGES, min_size=1, max_size=6), data=st.data())
def test_any_order_and_duplication_gives_the_same_state(changes: list[Any], data: Any) -> None:
    reordered = data.draw(st.permutations(changes + data.draw(st.lists(st.sampled_from(changes), max_size=3))))
    one, other = ProfileState("p"), ProfileState("p")
    for written in changes:
        one.apply(written, NOW)
    for written in reordered:
        other.apply(written, NOW)

    assert other.memberships == one.memberships
    assert other.identities == one.identities
    assert other.attributes.resolve() == one.attributes.resolve()


@settings(max_examples=100)
@given(changes=st.lists(CHANGES, min_size=1, max_size=5), data=st.data())
def test_a_change_seen_before_does_nothing(changes: list[Any], data: Any) -> None:
    state = ProfileState("p")
    for written in changes:
        state.apply(written, NOW)
    before = copy.deepcopy(state)

    effects = state.apply(data.draw(st.sampled_from(changes)), NOW + DAY)

    assert not effects.altered
    assert (effects.attribute_writes, effects.status_changes, effects.identities_changed) == ([], [], frozenset())
    assert state == before


@settings(max_examples=100)
@given(changes=st.lists(CHANGES, max_size=5))
def test_document_round_trip(changes: list[Any]) -> None:
    state = ProfileState("p", due={"m:0": DueExports(1, 2, {"d": ["audience"]})})
    for written in changes:
        state.apply(written, NOW)
    state.next_version(NOW)

    assert ProfileState.from_document(state.to_document()) == state


def test_versions_follow_the_clock_and_never_go_back() -> None:
    state = ProfileState("p")
    assert [state.next_version(NOW), state.next_version(NOW), state.next_version(NOW - DAY)] == [NOW, NOW + 1, NOW + 2]
    assert state.next_version(NOW + DAY) == NOW + DAY


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (membership(1), membership(1, "exited"), "realized"),
        (membership(1, "exited"), membership(1), "realized"),
        (membership(1, "existing"), membership(1, "exiting"), "realized"),
    ],
)
def test_at_the_same_time_realized_beats_exited(first: Any, second: Any, status: str) -> None:
    state = ProfileState("p")
    for written in (first, second):
        state.apply(change(9, segmentMembership=written), NOW)
    assert state.memberships["ups", "a"].status == status


def test_requalification_is_no_status_change() -> None:
    state = ProfileState("p")
    state.apply(change(1, segmentMembership=membership(1)), NOW)

    effects = state.apply(change(2, segmentMembership=membership(2, "existing")), NOW)

    assert effects.altered
    assert effects.status_changes == []
    assert state.memberships["ups", "a"].last_qualification_time.endswith("02Z")


def test_the_same_identities_in_another_order_are_no_change() -> None:
    state = ProfileState("p")
    state.apply(change(1, identityMap=ids("1", "2")), NOW)
    assert not state.apply(change(2, identityMap=ids("2", "1")), NOW).identities_changed
    assert state.apply(change(3, identityMap={}), NOW).identities_changed
    assert not state.apply(change(4, identityMap=None), NOW).identities_changed


def test_a_removal_is_remembered_for_thirty_days_after_it_was_saved() -> None:
    state = ProfileState("p")
    state.apply(change(10, attributes={"x": None}), NOW)
    state.forget_outdated(NOW + 29 * DAY)
    assert not state.apply(change(5, attributes={"x": 1}), NOW + 29 * DAY).attribute_writes

    state.forget_outdated(NOW + 31 * DAY)

    assert state.attributes.children == {}
    assert state.apply(change(5, attributes={"x": 1}), NOW + 31 * DAY).attribute_writes


def test_what_is_due_is_kept_for_a_day() -> None:
    due = DueExports(NOW // 1_000_000, 1, {"d": ["audience"]})
    state = ProfileState("p", due={"m:0": due})
    state.forget_outdated(NOW + DAY)
    assert state.due == {"m:0": due}
    state.forget_outdated(NOW + DAY + 1_000_000)
    assert state.due == {}
