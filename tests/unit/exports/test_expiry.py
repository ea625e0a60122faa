"""What time alone does: uploaded memberships lapse, those that ended long ago are forgotten."""

from typing import Any

import pytest

from shared.domain.configuration.targets import Targets
from shared.domain.exports.expiry import expire, expires
from shared.domain.instants import DAY, SECOND, format_instant
from shared.domain.profile.memberships import Strength
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, START, at, change, membership, play, targets_of, told

UPLOADED = {"id": "a", "origin": "custom-upload"}
MAPS_A = {"id": "d", "audiences": ["a"], "attributes": ["/x"]}
A = ("ups", "a")


def targets(origin: str = "custom-upload", **dataflow: Any) -> Targets:
    return targets_of(MAPS_A | dataflow, audiences=[UPLOADED | {"origin": origin}])


def member(valid_until: str | None = None, status: str = "realized", second: int = 0) -> ProfileState:
    state = ProfileState("p")
    entry = membership(second, status)
    if valid_until is not None:
        entry["ups"]["a"]["validUntil"] = valid_until
    play(state, targets(), change(second, segmentMembership=entry))
    return state


@pytest.mark.parametrize(
    ("valid_until", "lapses_at"),
    [(None, START + 30 * DAY), (at(90), START + 90 * SECOND), (format_instant(START + 99 * DAY), START + 99 * DAY)],
    ids=["30 days after its qualification", "when it says so", "later, when it says so"],
)
def test_an_uploaded_membership_lapses(valid_until: str | None, lapses_at: int) -> None:
    state = member(valid_until)
    assert not expires(state, targets(), "sweep", lapses_at - 1)
    assert expires(state, targets(), "sweep", lapses_at)

    result = expire(state, targets(), "sweep", lapses_at)

    assert told(result.exports) == [("d", "audience")]
    assert b'"status":"exited"' in result.exports[0].body
    assert state.due["sweep"].reasons == {"d": ["audience"]}
    ended = state.memberships[A]
    assert (ended.time, ended.strength, ended.status) == (START, Strength.EXPIRED, "exited")


@pytest.mark.parametrize("known", [{"origin": "segmentation"}, {}])
def test_other_memberships_do_not_lapse(known: dict[str, str]) -> None:
    state = member(at(1))
    catalog = targets_of(MAPS_A, audiences=[UPLOADED | known] if known else [])
    assert not expires(state, catalog, "sweep", NOW + 400 * DAY)


def test_a_redelivery_does_not_bring_it_back_and_a_later_write_does() -> None:
    state = member()
    expire(state, targets(), "sweep", START + 30 * DAY)
    again = play(state, targets(), change(0, segmentMembership=membership(0)), message_id="again")
    assert (again.altered, state.memberships[A].status) == (False, "exited")
    later = play(state, targets(), change(1, segmentMembership=membership(1)), message_id="later")
    assert told(later.exports) == [("d", "audience")]
    assert state.memberships[A].status == "realized"


def test_whoever_was_told_to_hear_hears_again_in_the_same_sweep() -> None:
    state = member()
    first = expire(state, targets(), "sweep", START + 30 * DAY)
    assert expires(state, targets(), "sweep", START + 30 * DAY)
    again = expire(state, targets(), "sweep", START + 30 * DAY)
    assert [export.message_id for export in again.exports] == [export.message_id for export in first.exports]
    assert not again.altered
    assert not expires(state, targets(), "tomorrow's", START + 31 * DAY)


@pytest.mark.parametrize("left", [START + DAY, START], ids=["left late", "left early"])
def test_what_ended_is_forgotten_after_thirty_days(left: int) -> None:
    state = member()
    play(state, targets(), change(5, segmentMembership=membership(5, "exited")), message_id="exit", now=left)
    until = max(START + 5 * SECOND, left) + 30 * DAY
    assert not expires(state, targets(), "sweep", until - SECOND)
    version = state.version

    result = expire(state, targets(), "sweep", until)

    assert (result.altered, result.exports, state.memberships) == (True, [], {})
    assert state.version > version


def test_an_exit_of_one_who_never_was_in_it_counts_from_when_it_occurred() -> None:
    state = member(status="exited")
    assert state.memberships[A].left_at == 0
    assert expires(state, targets(), "sweep", START + 30 * DAY)


def test_what_a_paused_dataflow_has_still_to_hear_of_is_kept() -> None:
    state = member()
    play(state, targets(), change(5, segmentMembership=membership(5, "exited")), message_id="exit")
    assert not expires(state, targets(enabled=False), "sweep", NOW + 400 * DAY)


def test_a_membership_that_lapses_while_its_dataflow_is_paused_tells_nobody_yet() -> None:
    state = member()
    result = expire(state, targets(enabled=False), "sweep", START + 30 * DAY)
    assert (result.altered, result.exports, "sweep" in state.due) == (True, [], False)
    assert state.memberships[A].left_at == (START + 30 * DAY) // SECOND


def test_what_a_deletion_left_is_its_own_business() -> None:
    state = member()
    play(state, targets(), change(5, deleted=True), message_id="delete")
    assert not expires(state, targets(), "sweep", NOW + 400 * DAY)
