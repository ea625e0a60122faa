"""The identity map: the last write wins as a whole, and only a different set of identities is a difference."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.profile.identities import IdentityRegister

Ids = dict[str, list[str]]


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (IdentityRegister(1, {"ecid": ["9"]}), IdentityRegister(2, {"ecid": ["1"]})),
        (IdentityRegister(1, {"ecid": ["9"]}), IdentityRegister(2)),
        (IdentityRegister(1, {"ecid": ["1"]}), IdentityRegister(1, {"ecid": ["2"]})),
        (IdentityRegister(1, {"ecid": ["1", "2"]}), IdentityRegister(1, {"ecid": ["2", "1"]})),
        (IdentityRegister(1, {"a": ["1"], "b": ["1"]}), IdentityRegister(1, {"b": ["1"]})),
    ],
)
def test_time_decides_then_the_canonical_value(weaker: IdentityRegister, stronger: IdentityRegister) -> None:
    assert stronger.beats(weaker)
    assert not weaker.beats(stronger)


@pytest.mark.parametrize("ids", [{}, {"ecid": ["1"]}, {"ecid": ["1", "2"], "email": ["j"]}])
def test_a_duplicate_beats_nothing_and_the_first_write_has_nothing_to_beat(ids: Ids) -> None:
    register = IdentityRegister(1, ids)
    assert register.beats(None)
    assert not register.beats(IdentityRegister(1, dict(reversed(ids.items()))))


@pytest.mark.parametrize(
    ("one", "other", "changed"),
    [
        ({}, {}, ""),
        ({"ecid": ["1", "2"]}, {"ecid": ["2", "1"]}, ""),
        ({"a": ["1"], "b": ["2"]}, {"b": ["2"], "a": ["1"]}, ""),
        ({"ecid": ["1"]}, {"ecid": ["1", "1"]}, ""),
        ({"ecid": []}, {}, ""),
        ({"ecid": ["1"]}, {}, "ecid"),
        ({"ecid": ["1"]}, {"ecid": ["1", "2"]}, "ecid"),
        ({"ecid": ["1"]}, {"email": ["1"]}, "ecid email"),
        ({"a": ["1"], "b": ["2"]}, {"a": ["2"], "b": ["1"]}, "a b"),
        ({"a": ["1"], "b": ["2"]}, {"a": ["1"], "b": ["3"]}, "b"),
        ({"ecid": ["é"]}, {"ecid": ["e\u0301"]}, "ecid"),
        ({"ecid": ["A"]}, {"ecid": ["a"]}, "ecid"),
    ],
)
def test_maps_are_compared_as_sets_of_namespace_and_id(one: Ids, other: Ids, changed: str) -> None:
    first, second = IdentityRegister(1, one), IdentityRegister(2, other)
    assert first.others_than(second) == second.others_than(first) == set(changed.split())


def test_the_order_received_is_kept() -> None:
    assert IdentityRegister(1, {"ecid": ["3", "1", "2"]}).ids == {"ecid": ["3", "1", "2"]}


REGISTERS = st.builds(
    IdentityRegister,
    st.integers(1, 2),
    st.dictionaries(st.sampled_from("ab"), st.lists(st.sampled_from("12é"), min_size=1, max_size=2), max_size=2),
)


@settings(max_examples=40)
@given(st.lists(REGISTERS, min_size=1, max_size=4))
def test_the_winner_does_not_depend_on_the_order_of_arrival(writes: list[IdentityRegister]) -> None:
    winners = []
    for order in permutations(writes):
        kept: IdentityRegister | None = None
        for register in order:
            kept = register if register.beats(kept) else kept
        winners.append(kept)
    assert all(winner == winners[0] for winner in winners)
    assert (winners[0].time if winners[0] else 0) == max(register.time for register in writes)
