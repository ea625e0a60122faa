"""Who entered, who left: told with the export that stands for it, under one id, and never made up."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.exports.decision import NOT_OF_A_CHANGE
from shared.domain.exports.export import Export, current_export
from shared.domain.exports.undelivered import TRANSITIONS_KEPT, Failure, after_failed_send
from shared.domain.instants import SECOND
from shared.domain.profile.audience_transitions import AudienceTransition, merged
from shared.domain.profile.state import ProfileState
from shared.errors import FailureCode
from tests.kit.builders import NOW, change, membership, play, targets_of

MAPS_A = {"id": "d", "audiences": ["a"], "attributes": ["/x"]}
MAPS_BOTH = {"id": "d", "audiences": ["a", "b"], "attributes": ["/x"]}
ASKS = MAPS_BOTH | {"consent": "/consent"}
FAILED = Failure("down", FailureCode.TIMEOUT)


def properties_of(export: Export) -> dict[str, Any]:
    """Those that tell of audiences, but for the ids."""
    return {
        name: value
        for name, value in export.application_properties.items()
        if name in {"entered", "left", "present", "transitionsOmitted"}
    }


def ids_of(export: Export) -> list[str]:
    text = str(export.application_properties.get("transitionIds", ""))
    return text.split(",") if text else []


def test_an_export_names_the_mapped_audiences_whose_status_changed() -> None:
    state = ProfileState("p")
    targets = targets_of(MAPS_A)
    both = {"ups": membership(1)["ups"] | membership(1, audience="z")["ups"]}
    entered, written, left = play(
        state,
        targets,
        change(1, segmentMembership=both),
        change(2, attributes={"x": 1}),
        change(3, segmentMembership=membership(3, "exited")),
    ).exports

    assert properties_of(entered) == {"entered": "ups/a"}
    assert properties_of(written) == {}
    assert properties_of(left) == {"left": "ups/a"}
    assert not ids_of(written)
    (one,), (other,) = ids_of(entered), ids_of(left)
    assert one.startswith("entered-")
    assert other.startswith("left-")


def test_qualifying_again_enters_nothing() -> None:
    state = ProfileState("p")
    result = play(
        state,
        targets_of(MAPS_A),
        change(1, segmentMembership=membership(1)),
        change(2, segmentMembership=membership(2), attributes={"x": 1}),
    )
    assert [properties_of(export) for export in result.exports] == [{"entered": "ups/a"}, {}]


def test_what_separates_names_is_encoded_in_them() -> None:
    targets = targets_of({"id": "d", "audiences": [{"id": "1,2/3%", "namespace": "a/b"}]})
    state = ProfileState("p")
    (export,) = play(
        state, targets, change(1, segmentMembership=membership(1, audience="1,2/3%", namespace="a/b"))
    ).exports
    assert properties_of(export) == {"entered": "a%2Fb/1%2C2%2F3%25"}


def test_a_redelivery_tells_all_that_it_stands_for_in_its_order() -> None:
    targets = targets_of(MAPS_A)
    state = ProfileState("p")
    changes = [change(1, segmentMembership=membership(1)), change(2, segmentMembership=membership(2, "exited"))]
    first = play(state, targets, *changes)

    (again,) = play(ProfileState.from_document(json.loads(json.dumps(state.to_document()))), targets, *changes).exports

    assert properties_of(again) == {"entered": "ups/a", "left": "ups/a"}
    assert ids_of(again) == [identity for export in first.exports for identity in ids_of(export)]
    assert [identity.partition("-")[0] for identity in ids_of(again)] == ["entered", "left"]


def test_a_new_change_beside_a_redelivered_one_tells_of_both() -> None:
    targets = targets_of(MAPS_A)
    state = ProfileState("p")
    joins = change(1, segmentMembership=membership(1))
    (first,) = play(state, targets, joins).exports

    (export,) = play(state, targets, joins, change(2, attributes={"x": 1})).exports

    assert ids_of(export) == ids_of(first)


def test_a_retry_tells_all_that_failed() -> None:
    targets = targets_of(MAPS_A)
    state = ProfileState("p")
    joins, leaves = play(
        state,
        targets,
        change(1, segmentMembership=membership(1)),
        change(2, segmentMembership=membership(2, "exited")),
    ).exports
    row = after_failed_send(None, leaves, FAILED, NOW, [1]).row
    row = after_failed_send(row, joins, FAILED, NOW, [1]).row  # the later one may have failed first

    retried = current_export(state, targets.by_id["d"], {}, row.reasons, row.occurred_at, row.transitions)

    assert retried is not None
    assert ids_of(retried) == ids_of(joins) + ids_of(leaves)


def test_what_takes_the_place_of_a_hopeless_row_tells_of_it_too() -> None:
    state = ProfileState("p")
    joins, leaves = play(
        state,
        targets_of(MAPS_A),
        change(1, segmentMembership=membership(1)),
        change(2, segmentMembership=membership(2, "exited")),
    ).exports
    hopeless = after_failed_send(None, joins, Failure("too large", FailureCode.TOO_LARGE, permanent=True), NOW, [1]).row
    row = after_failed_send(hopeless, leaves, FAILED, NOW, [1]).row
    assert [each.entered for each in row.transitions] == [True, False]


def test_a_row_keeps_the_latest_and_says_how_many_are_gone() -> None:
    state = ProfileState("p")
    (export,) = play(state, targets_of(MAPS_A), change(1, segmentMembership=membership(1))).exports
    many = tuple(AudienceTransition(NOW + n, n, n % 2, "ups", "a") for n in range(TRANSITIONS_KEPT))
    row = after_failed_send(None, export, FAILED, NOW, [1]).row
    for told in (many, (many[-1]._replace(version=NOW * 2, at=NOW),)):
        later = Export(export.destination, "p", NOW, 1, ("audience",), NOW, b"{}", transitions=told)
        row = after_failed_send(row, later, FAILED, NOW, [1]).row
    assert len(row.transitions) == TRANSITIONS_KEPT
    assert row.omitted == 2
    assert row.transitions[-1].at == NOW


@pytest.mark.parametrize("reason", sorted(NOT_OF_A_CHANGE))
def test_a_backfill_says_who_is_present_and_never_who_entered(reason: str) -> None:
    targets = targets_of(MAPS_BOTH)
    state = ProfileState("p")
    play(
        state,
        targets,
        change(1, segmentMembership=membership(1)),
        change(2, segmentMembership=membership(2, audience="b")),
        change(3, segmentMembership=membership(3, "exited", "b")),
    )
    export = current_export(state, targets.by_id["d"], {}, [reason], NOW)
    assert export is not None
    assert properties_of(export) == {"present": "ups/a"}


def test_a_deletion_tells_what_it_ended_and_what_was_due() -> None:
    targets = targets_of(MAPS_BOTH)
    state = ProfileState("p")
    both = {"ups": membership(1)["ups"] | membership(1, audience="b")["ups"]}
    joins, leaves = play(
        state, targets, change(1, segmentMembership=both), change(2, segmentMembership=membership(2, "exited"))
    ).exports

    (export,) = play(state, targets, change(3, deleted=True), message_id="later").exports

    assert ids_of(export)[:3] == ids_of(joins) + ids_of(leaves)
    assert properties_of(export)["left"] == "ups/a,ups/b"


def test_a_consent_that_is_given_enters_and_one_withdrawn_leaves() -> None:
    targets = targets_of(ASKS)
    state = ProfileState("p")
    assert not play(state, targets, change(1, segmentMembership=membership(1))).exports
    given_, entered, withdrawn = (
        play(state, targets, each, message_id=f"m{number}").exports[0]
        for number, each in enumerate(
            [
                change(2, attributes={"consent": "y"}),
                change(3, segmentMembership=membership(3, audience="b")),
                change(4, attributes={"consent": "n"}),
            ]
        )
    )
    assert properties_of(given_) == {"entered": "ups/a"}
    assert properties_of(entered) == {"entered": "ups/b"}
    assert properties_of(withdrawn) == {"left": "ups/a,ups/b"}


def test_who_does_not_consent_any_more_is_told_as_having_left_alone() -> None:
    targets = targets_of(ASKS)
    state = ProfileState("p")
    changes = [
        change(1, attributes={"consent": "y"}, segmentMembership=membership(1)),
        change(2, attributes={"consent": "n"}),
    ]
    play(state, targets, *changes)
    (again,) = play(state, targets, *changes).exports
    assert properties_of(again) == {"left": "ups/a"}


WRITES = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["realized", "exited"]), st.sampled_from("ab")), max_size=12
)


@given(writes=WRITES, again=st.lists(st.integers(0, 11), max_size=6))
def test_what_is_told_is_what_the_statuses_say(writes: list[tuple[int, str, str]], again: list[int]) -> None:
    """Whatever order writes come in and whatever comes again: by what is told, a consumer knows who is in."""
    targets = targets_of(MAPS_BOTH)
    state = ProfileState("p")
    changes = [
        change(second, segmentMembership=membership(second, status, audience)) for second, status, audience in writes
    ]
    deliveries = [*range(len(changes)), *(number for number in again if number < len(changes))]
    told: dict[str, str] = {}
    known: dict[str, list[str]] = {"a": [], "b": []}
    for step, number in enumerate(deliveries):
        for export in play(state, targets, changes[number], message_id=f"m{number}", now=NOW + step * SECOND).exports:
            for identity, each in zip(ids_of(export), export.transitions, strict=True):
                name = "realized" if each.entered else "exited"
                if identity not in told:
                    told[identity] = name
                    known[each.audience_id].append(name)
    for audience, statuses in known.items():
        assert all(one != other for one, other in itertools.pairwise(statuses)), "twice the same way"
        assert not statuses or statuses[0] == "realized"
        entry = state.memberships.get(("ups", audience))
        assert (statuses[-1:] or ["exited"]) == [entry.status if entry else "exited"]


def test_one_transition_is_merged_once_whoever_decided_on_it() -> None:
    one = AudienceTransition(5, 1, 1, "ups", "a")
    assert merged([one._replace(version=9)], [one]) == (one,)
