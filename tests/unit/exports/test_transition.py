"""What one message does to one profile: versions, exports, and what is due should it come again."""

import json
from typing import Any

from shared.domain.instants import SECOND
from shared.domain.profile.audience_transitions import AudienceTransition
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, START, change, ids, membership, play, targets_of, told

MAPS_A = {"id": "d", "audiences": ["a"], "attributes": ["/x"]}
QUALIFIES = {"segmentMembership": membership(1)}
ENTERED_A = AudienceTransition(NOW, START + SECOND, 1, "ups", "a")


def x_of(body: bytes) -> Any:
    return json.loads(body).get("x")


def test_each_change_of_a_batch_is_exported_as_the_profile_was_then() -> None:
    state = ProfileState("p")
    changes = [change(1, **QUALIFIES), change(2, attributes={"x": 1}), change(3, attributes={"x": 2})]

    result = play(state, targets_of(MAPS_A), *changes)

    assert [(export.version, x_of(export.body)) for export in result.exports] == [
        (NOW, None),
        (NOW + 1, 1),
        (NOW + 2, 2),
    ]
    assert state.version == NOW + 2
    assert result.altered


def test_what_is_due_is_remembered_for_each_item() -> None:
    state = ProfileState("p")
    play(
        state,
        targets_of(MAPS_A),
        change(1, **QUALIFIES),
        change(2, attributes={"y": 1}),
        change(3, identityMap=ids("1")),
    )
    assert state.due == {
        "m:0": DueExports(NOW // SECOND, NOW, {"d": ["audience"]}, {"d": (ENTERED_A,)}),
        "m:2": DueExports(NOW // SECOND, NOW + 2, {"d": ["identity"]}),
    }


def test_a_redelivered_message_sends_the_profile_as_it_is_now_once_to_each_destination() -> None:
    targets = targets_of(MAPS_A, {"id": "e", "audiences": ["a"]})
    state = ProfileState("p")
    changes = [change(1, **QUALIFIES), change(2, attributes={"x": 1})]
    play(state, targets, *changes)
    play(state, targets, change(3, attributes={"x": 3}), message_id="later", now=NOW + SECOND)

    again = play(state, targets, *changes, now=NOW + 9 * SECOND)

    assert not again.altered
    assert [(export.version, x_of(export.body)) for export in again.exports] == [
        (NOW + SECOND, 3),
        (NOW + SECOND, None),
    ]
    assert told(again.exports) == [("d", "attribute"), ("e", "audience")]


def test_a_redelivery_brings_nothing_twice_where_a_new_change_brings_the_same_version() -> None:
    targets = targets_of(MAPS_A)
    state = ProfileState("p")
    play(state, targets, change(1, **QUALIFIES))

    again = play(state, targets, change(1, **QUALIFIES), change(2, attributes={"x": 1}))

    assert told(again.exports) == [("d", "attribute")]


def test_a_redelivery_does_not_reach_who_is_gone() -> None:
    state = ProfileState("p")
    play(state, targets_of(MAPS_A), change(1, **QUALIFIES))
    assert play(state, targets_of({"id": "e"}), change(1, **QUALIFIES)).exports == []


def test_a_redelivery_is_kept_for_who_is_paused_by_then() -> None:
    state = ProfileState("p")
    play(state, targets_of(MAPS_A), change(1, **QUALIFIES))
    again = play(state, targets_of(MAPS_A | {"enabled": False}), change(1, **QUALIFIES))
    assert told(again.exports) == [("d", "audience")]


def test_the_same_change_in_another_message_is_stale() -> None:
    state = ProfileState("p")
    targets = targets_of(MAPS_A)
    play(state, targets, change(1, **QUALIFIES))

    again = play(state, targets, change(1, **QUALIFIES), message_id="other")

    assert (again.altered, again.exports, again.skipped) == (False, [], [(None, "stale or duplicate")])
    assert state.version == NOW


def test_an_unmapped_change_alters_the_state_and_tells_nobody() -> None:
    state = ProfileState("p")
    result = play(state, targets_of(MAPS_A), change(1, attributes={"y": 1}))
    assert (result.altered, result.exports, state.due, state.version) == (True, [], {}, NOW)
