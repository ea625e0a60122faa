"""Audience memberships: which of two writes wins, so that their order of arrival does not matter."""

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.profile.memberships import Membership, Strength

EARLY, LATE = "2026-01-11T20:00:00Z", "2026-01-11T20:00:01Z"


def written(time: int, realized: bool, qualified: str = EARLY, valid_until: str | None = None) -> Membership:
    return Membership.written(time, realized=realized, last_qualification_time=qualified, valid_until=valid_until)


WEAKEST_FIRST = [
    written(1, False),
    written(1, False, LATE),
    written(1, True),
    written(1, True, "2026-01-11T20:30:00.000001+00:30"),
    written(1, True, LATE),
    written(1, True, LATE, "2026-02-01T00:00:00Z"),
    written(2, False),
    written(2, True),
    written(3, False, LATE),
]


def test_time_then_strength_then_qualification_decide() -> None:
    for weaker, stronger in combinations(WEAKEST_FIRST, 2):
        assert stronger.beats(weaker), (weaker, stronger)
        assert not weaker.beats(stronger), (weaker, stronger)


@pytest.mark.parametrize("membership", WEAKEST_FIRST)
def test_a_duplicate_beats_nothing_and_the_first_write_has_nothing_to_beat(membership: Membership) -> None:
    again = Membership(membership.time, membership.strength, membership.last_qualification_time, membership.valid_until)
    assert membership == again
    assert not again.beats(membership)
    assert membership.beats(None)


def test_qualification_times_compare_as_instants_not_as_texts() -> None:
    """`21:30+02:00` sorts after `20:00Z` as text, and is half an hour earlier."""
    assert written(1, True, "2026-01-11T20:00:00Z").beats(written(1, True, "2026-01-11T21:30:00+02:00"))


@pytest.mark.parametrize(
    ("realized", "status", "strength"), [(True, "realized", Strength.REALIZED), (False, "exited", Strength.EXITED)]
)
def test_a_membership_reads_as_realized_or_exited(realized: bool, status: str, strength: Strength) -> None:
    membership = written(1, realized)
    assert (membership.realized, membership.status, membership.strength) == (realized, status, strength)


def test_times_are_kept_as_received() -> None:
    membership = written(1, True, "2026-01-11T21:24:39.5+0000", "2026-02-01T00:00:00+00:00")
    assert membership.last_qualification_time == "2026-01-11T21:24:39.5+0000"
    assert membership.valid_until == "2026-02-01T00:00:00+00:00"


MEMBERSHIPS = st.builds(
    written,
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from([EARLY, LATE, "2026-01-11T20:00:00+0000", "2026-01-11T21:00:00+01:00", "2026-01-11T20:00:00.0Z"]),
    st.sampled_from([None, EARLY, LATE]),
)


@settings(max_examples=40)
@given(st.lists(MEMBERSHIPS, min_size=1, max_size=4))
def test_the_winner_does_not_depend_on_the_order_of_arrival(writes: list[Membership]) -> None:
    winners = []
    for order in permutations(writes):
        kept: Membership | None = None
        for membership in order:
            kept = membership if membership.beats(kept) else kept
        winners.append(kept)
    assert all(winner == winners[0] for winner in winners)
    assert (winners[0].time if winners[0] else 0) == max(membership.time for membership in writes)
