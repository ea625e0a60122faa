"""Deleting a profile: all that was written until then is gone, in whatever order it arrives."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.instants import DAY, SECOND
from shared.domain.profile.deletion import Deletion, DeletionPhase
from shared.domain.profile.state import DELETION_RETENTION, ProfileState
from tests.kit.builders import NOW, START, change, ids, membership, play, targets_of, told

MAPS_A = {"id": "d", "audiences": ["a"], "attributes": ["/x"]}
OBJECTS = st.sampled_from([None, 1, "v", {"z": 1}, {"z": {"w": 2}}, {"z": None}, {}])

MEMBERSHIPS = st.builds(membership, st.just(0), st.sampled_from(["realized", "exited"]), st.sampled_from("ab"))


def writes_at(seconds: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.builds(
        change,
        seconds,
        attributes=st.dictionaries(st.sampled_from("xy"), OBJECTS, max_size=2),
        identityMap=st.sampled_from([None, ids("1"), ids("2")]),
        segmentMembership=st.one_of(st.just({}), MEMBERSHIPS),
        deleted=st.sampled_from([False, False, True]),
    )


@settings(max_examples=100)
@given(seconds=st.permutations(range(1, 9)), data=st.data())
def test_any_order_and_duplication_gives_what_the_writes_after_the_last_deletion_give(
    seconds: list[int], data: Any
) -> None:
    changes = [data.draw(writes_at(st.just(second))) for second in seconds]
    deleted_at = max((each.occurred_at for each in changes if each.deleted), default=0)
    later = ProfileState("p")
    for each in changes:
        if each.occurred_at > deleted_at:
            later.apply(each, NOW)

    state = ProfileState("p")
    for each in changes + data.draw(st.lists(st.sampled_from(changes), max_size=3)):
        state.apply(each, NOW)
        if data.draw(st.booleans()):
            state.drop_leftovers()
    state.drop_leftovers()

    assert state.attributes.resolve() == later.attributes.resolve()
    assert state.memberships == later.memberships
    assert state.identities == later.identities
    assert (state.deletion.at if state.deletion else 0) == deleted_at
    assert ProfileState.from_document(state.to_document(), "p") == state


def known(**targets: Any) -> ProfileState:
    """A profile in two audiences, of which a destination maps one."""
    state = ProfileState("p")
    fields = {"attributes": {"x": 1}, "identityMap": ids("1")}
    play(state, targets_of(MAPS_A | targets), change(1, segmentMembership=membership(1), **fields))
    play(state, targets_of(MAPS_A | targets), change(2, segmentMembership=membership(2, audience="b")), message_id="m2")
    return state


def test_the_last_export_shows_the_exit_and_no_attributes() -> None:
    state = known()
    result = play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    (export,) = result.exports
    assert told([export]) == [("d", "audience")]
    assert export.body == (
        b'{"segmentMembership":{"ups":{"a":{"lastQualificationTime":"2026-01-11T21:00:01Z","status":"exited"}}},'
        b'"identityMap":{"ecid":[{"id":"1"}]}}'
    )
    assert state.deletion == Deletion(START + 3 * SECOND, NOW // SECOND, DeletionPhase.LEAVING, ("d",))


def test_a_second_deletion_and_what_comes_from_before_do_nothing() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    version = state.version
    for late in (change(3, deleted=True), change(2, deleted=True), change(3, attributes={"x": 2})):
        result = play(state, targets_of(MAPS_A), late, message_id="late")
        assert (result.altered, result.exports) == (False, [])
    assert state.version == version


def test_a_paused_dataflow_is_owed_the_exit() -> None:
    state = known()
    result = play(state, targets_of(MAPS_A | {"enabled": False}), change(3, deleted=True), message_id="delete")
    assert result.exports == []
    assert state.deletion is not None
    assert state.deletion.owed == ("d",)


def test_nobody_is_owed_what_nobody_had_heard_of() -> None:
    state = known()
    for targets in (
        targets_of({"id": "d", "audiences": ["c"]}),
        targets_of(MAPS_A | {"triggers": {"audience": False}}),
    ):
        again = ProfileState.from_document(state.to_document())
        result = play(again, targets, change(3, deleted=True), message_id="delete")
        assert (result.exports, again.deletion and again.deletion.owed) == ([], ())


def test_whoever_comes_after_is_somebody_else() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    before = state.version
    result = play(state, targets_of(MAPS_A), change(4, segmentMembership=membership(4)), message_id="anew")
    (export,) = result.exports
    assert export.version > before
    assert b'"identityMap":{}' in export.body
    assert b'"status":"realized"' in export.body
    assert state.leftovers == [("ups", "b")]


def test_a_tombstone_has_nothing_of_the_profile_and_keeps_its_version() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    version = state.version
    state.drop_leftovers()
    document = state.to_document()
    assert document.keys() == {"version", "deletion"}
    assert state.deletion is not None
    assert state.deletion.audiences == (("ups", "a"), ("ups", "b"))
    read = ProfileState.from_document(document, "p")
    assert (read.profile_id, read.version, read.empty, read.due) == ("p", version, True, {})
    assert read.next_version(0) > version


def test_a_deletion_is_remembered_for_thirty_days_after_it_was_heard_of() -> None:
    state = ProfileState("p", deletion=Deletion(NOW - 40 * DAY, NOW // SECOND, DeletionPhase.DONE))
    assert not state.deletion_outdated(NOW + DELETION_RETENTION)
    state.forget_outdated(NOW + DELETION_RETENTION)
    assert state.deletion is not None
    assert state.deletion_outdated(NOW + DELETION_RETENTION + 1)
    state.forget_outdated(NOW + DELETION_RETENTION + 1)
    assert state.deletion is None


def test_a_deletion_under_way_is_never_outdated() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    assert not state.deletion_outdated(NOW + 400 * DAY)


def test_an_index_row_of_an_audience_entered_again_is_not_to_be_deleted_with_the_old_ones() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    state.drop_leftovers()
    result = play(state, targets_of(MAPS_A), change(4, segmentMembership=membership(4)), message_id="anew")
    assert result.entered == [("ups", "a")]
    play(state, targets_of(MAPS_A), change(5, deleted=True), message_id="again")
    assert state.deletion is not None
    assert state.deletion.audiences == (("ups", "a"), ("ups", "b"))
    play(state, targets_of(MAPS_A), change(6, segmentMembership=membership(6)), message_id="thrice")
    assert state.leftovers == []


def test_a_deletion_that_comes_late_changes_who_lives_on() -> None:
    state = ProfileState("p")
    targets = targets_of(MAPS_A)
    play(state, targets, change(1, attributes={"x": 1, "y": 1}, identityMap=ids("1")), message_id="m1")
    play(state, targets, change(3, segmentMembership=membership(3)), message_id="m3")
    result = play(state, targets, change(2, deleted=True), message_id="late")
    (export,) = result.exports
    assert export.reasons == ("attribute", "identity")
    assert export.body.startswith(b'{"segmentMembership":{"ups":{"a"')
    assert b'"identityMap":{}' in export.body


def test_who_saw_the_profile_leave_hears_of_its_end() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, segmentMembership=membership(3, "exited")), message_id="exit")
    result = play(state, targets_of(MAPS_A), change(4, deleted=True), message_id="delete")
    assert told(result.exports) == [("d", "audience")]


def test_who_never_was_in_an_audience_does_not_leave_it() -> None:
    state = ProfileState("p")
    play(state, targets_of(MAPS_A), change(1, segmentMembership=membership(1, "exited")), message_id="exit")
    result = play(state, targets_of(MAPS_A), change(4, deleted=True), message_id="delete")
    assert result.exports == []


def test_an_empty_change_begins_anew_too_and_makes_a_version_of_its_own() -> None:
    state = known()
    play(state, targets_of(MAPS_A), change(3, deleted=True), message_id="delete")
    version = state.version
    result = play(state, targets_of(MAPS_A), change(4), message_id="empty")
    assert (result.altered, state.version > version, state.identities) == (True, True, None)
