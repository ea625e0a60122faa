"""What each destination was last told stays in the profile's row when it is due no more."""

import pytest

from shared.adapters.tables.profiles import decode_state, encode_state
from shared.domain.exports import decision
from shared.domain.instants import DAY, SECOND
from shared.domain.profile.deletion import Deletion, DeletionPhase
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.last_told import MOST, REASONS, Marks, mark, of_mark, remember
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW


def due_at(at: int, *destinations: str, reason: str = "audience") -> DueExports:
    return DueExports(at // SECOND, at, {each: [reason] for each in destinations})


def told(state: ProfileState) -> dict[str, tuple[int, tuple[str, ...]]]:
    """As its row has it."""
    again = decode_state(encode_state(state))
    return {destination_id: of_mark(each) for destination_id, each in again.told.items()}


def test_the_reasons_are_those_of_decisions_in_an_order_that_rows_rely_on() -> None:
    assert REASONS == (decision.AUDIENCE, decision.ATTRIBUTE, decision.IDENTITY, decision.CONSENT)
    assert mark(3, ["audience", "consent"]) == 3 * 16 + 1 + 8
    assert of_mark(mark(NOW, [*reversed(REASONS), "audience"])) == (NOW, REASONS)
    assert of_mark(mark(NOW, ["a later release's"])) == (NOW, ())


def test_what_is_due_no_more_leaves_what_each_was_told_last() -> None:
    state = ProfileState("p")
    state.call_for("m1:0", due_at(NOW, "d", "e", "f"))
    state.call_for("m2:0", due_at(NOW + SECOND, "e", reason="attribute"))
    state.call_for("m3:0", due_at(NOW + DAY, "f"))
    assert told(state) == {}
    state.forget_outdated(NOW + DAY + SECOND)
    assert told(state) == {"d": (NOW, ("audience",))}, "to e and f something later is due"
    state.forget_outdated(NOW + DAY + 2 * SECOND)
    assert told(state) == {"d": (NOW, ("audience",)), "e": (NOW + SECOND, ("attribute",))}
    state.call_for("m4:0", due_at(NOW + 2 * DAY, "d"))
    assert told(state) == {"e": (NOW + SECOND, ("attribute",))}


def test_what_goes_out_of_turn_does_not_hide_what_is_later() -> None:
    state = ProfileState("p")
    state.call_for("m1:0", due_at(NOW, "d"))
    state.call_for("m2:0", due_at(NOW + SECOND, "d"))
    state.let_go(["m2:0"])
    assert told(state) == {"d": (NOW + SECOND, ("audience",))}
    state.let_go(["m1:0"])
    assert told(state) == {"d": (NOW + SECOND, ("audience",))}


def test_of_too_many_destinations_those_told_last_are_kept() -> None:
    state = ProfileState("p", told={f"d{number}": mark(NOW + number, ["audience"]) for number in range(MOST)})
    state.due["m:0"] = due_at(NOW + MOST, "new", "newer")
    state.let_go(["m:0"])
    assert state.told.keys() == {"new", "newer", *(f"d{number}" for number in range(2, MOST))}


@pytest.mark.parametrize("earlier", [{}, {"d": mark(NOW - 1, ["audience"])}, {"d": mark(NOW + 1, ["audience"])}])
def test_the_later_one_counts(earlier: Marks) -> None:
    marks = dict(earlier)
    remember(marks, NOW, {"d": ["identity"]})
    assert of_mark(marks["d"])[0] == max(NOW, *(of_mark(each)[0] for each in earlier.values()), NOW)


def test_nothing_of_it_is_left_of_a_profile_that_is_forgotten() -> None:
    state = ProfileState("p", 1, told={"d": mark(NOW, ["audience"])})
    state.deletion = Deletion(NOW, NOW // SECOND, DeletionPhase.LEAVING)
    assert b"told" not in encode_state(state)
    state.drop_leftovers()
    assert (state.told, told(state)) == ({}, {})
