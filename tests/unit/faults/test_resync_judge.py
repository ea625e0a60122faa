"""The judge of resyncs: it tells who is missed, who does not belong, who came twice and why, and what is not true."""

import random
from collections.abc import Callable

import pytest

from bench.harness.people import member_id, profile
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, calls_for
from shared.domain.backfills.resync import ResyncOrder
from shared.domain.instants import DAY, SECOND, parse_instant
from shared.domain.messages.resync_item import ResyncRequest
from shared.domain.profile.change import parse_change
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from tests.faults.resync import scopes
from tests.faults.resync.audience import AUDIENCE, CALM, OTHER, Model, configuration
from tests.faults.resync.hosts import KillPlan
from tests.faults.resync.hubs import Heard
from tests.faults.resync.judge import Expected, Sample, judge, outdated, untrue_progress
from tests.faults.resync.scopes import Order
from tests.kit.builders import targets_of

NOW = parse_instant("2026-03-01T10:00:00Z")
SEEDED_AT = NOW - 2 * DAY
SETTLED_AT = NOW / SECOND


def seeded(members: int = 80, outsiders: int = 40) -> Model:
    return Model.seeded(members, outsiders, random.Random(7))


def played(model: Model) -> dict[str, ProfileState]:
    """All profiles as the app knows them, after changes of half of them, a second apart."""
    states = {each: profile(each, SEEDED_AT).state for each in model.numbers}
    for second in range(60):
        written = model.next_change(SETTLED_AT + second)
        if second == 29:
            model.settle()
        if written is not None:
            now = NOW + second * SECOND
            state = states[written["profileId"]]
            state.apply(parse_change(written, now), now)
            state.next_version(now)
    return states


ORDERS: dict[str, Callable[[Model], Order]] = {
    "everything": lambda _: scopes.everything(),
    "audience": lambda _: scopes.audience(),
    "profiles": lambda model: scopes.profiles(model, 50, random.Random(3)),
    "saved since": lambda _: scopes.saved_since(SETTLED_AT + 20),
    "keys": lambda _: scopes.key_range("3a8", "9"),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_model_means_by_a_scope_whom_the_app_means(name: str) -> None:
    model = seeded()
    states = played(model)
    asked = ORDERS[name](model)
    order = ResyncOrder.of(ResyncRequest.model_validate({"scope": asked.scope}).scope)
    target = targets_of(*configuration([CALM])["dataflows"]).by_id[CALM]
    audiences = [AUDIENCE] if name == "audience" else [AUDIENCE, OTHER]
    backfill = Backfill(
        id="r",
        kind=BackfillKind.RESYNC,
        state=BackfillState.RUNNING,
        requested_at=NOW,
        due_at=NOW,
        audiences=tuple((("ups", each), None) for each in audiences),
        resync=order,
    )
    called_for = {
        each
        for each, state in states.items()
        if calls_for(backfill, state, target)
        and (not order.profiles or profile_key(each) in order.keys)
        and (not order.last or order.first <= profile_key(each) <= order.last)
    }
    assert asked.within(model) == called_for
    assert 0 < len(called_for) < len(states)


def test_the_model_knows_who_was_a_member_when() -> None:
    model = seeded(members=20, outsiders=20)
    states = played(model)
    members = {each for each, state in states.items() if _is_in(state, AUDIENCE)}
    assert model.members == members
    assert model.members_at(SETTLED_AT - 1) == 20
    assert model.members_at(SETTLED_AT + 60) == len(members)
    assert model.crossed(SETTLED_AT, SETTLED_AT + 60) == sum(each.kind != "attribute" for each in model.changes)


def _is_in(state: ProfileState, audience: str) -> bool:
    membership = state.memberships.get(("ups", audience))
    return membership is not None and membership.realized


def test_a_profile_changes_once_between_two_moments_at_which_all_was_handled() -> None:
    model = seeded(members=10, outsiders=4)
    first = [each["profileId"] for each in iter(lambda: model.next_change(1.0), None)]
    assert len(first) == len(set(first)) > 5
    model.settle()
    assert any(model.next_change(2.0) for _ in range(5))


def heard(profile_id: str, at: float, reason: str = "resync", version: int = 1, **fields: object) -> Heard:
    given = {"status": "realized", "number": 0} | fields
    return Heard(profile_id, tuple(reason.split(",")), (version, 1), at, **given)  # type: ignore[arg-type]


def test_who_is_missed_outside_and_twice() -> None:
    expected = Expected(must=frozenset("abc"), may=frozenset("abcd"))
    events = [
        heard("a", 1),
        heard("b", 2, "attribute"),
        heard("d", 3),
        heard("e", 4),
        heard("c", 5, "attribute,resync"),
    ]
    verdict = judge(expected, events, "resync", [])
    assert (verdict.missed, verdict.outside) == (frozenset("b"), frozenset("e"))
    assert (verdict.events, verdict.distinct, verdict.twice) == (4, 4, 0)


def test_what_came_twice_did_so_by_a_kill_if_one_lies_between() -> None:
    expected = Expected(must=frozenset("ab"), may=frozenset("ab"))
    events = [heard("a", 1), heard("b", 10), heard("a", 5), heard("b", 12), heard("b", 20)]
    verdict = judge(expected, events, "resync", [(3.0, 3.5), (15.0, 15.1)])
    assert (verdict.twice, verdict.twice_by_kills) == (3, 2)


def sample(at: float, exported: int, undelivered: int = 0, members: int = 100) -> Sample:
    return Sample(at, at + 0.01, members, exported, undelivered)


@pytest.mark.parametrize(
    ("given", "true"),
    [
        (sample(30, 3), True),
        (sample(30, 4), True),
        (sample(30, 5), False),
        (sample(30, 2), False),
        (sample(30, 2, undelivered=1), True),
        (sample(30, 3, members=2), False),
        (sample(50, 4), False),
    ],
)
def test_progress_is_true_if_it_was_so_within_fifteen_seconds(given: Sample, true: bool) -> None:
    """At 30 four profiles had come, three of them for good by 15; the last is sent again after a kill, at 31."""
    events = [heard("a", 1), heard("b", 2), heard("c", 3), heard("d", 14), heard("d", 31), heard("e", 32)]
    assert (untrue_progress([given], events, "resync") == []) is true


def test_what_a_consumer_has_is_the_model_or_it_is_told() -> None:
    model = seeded(members=3, outsiders=0)
    latest = {each: heard(each, 1, number=model.numbers[each]) for each in model.members}
    assert outdated(latest, model) == []
    gone = member_id(1)
    assert outdated({each: event for each, event in latest.items() if each != gone}, model) == [
        f"{gone} was never exported"
    ]
    assert "is ('realized', 1)" in outdated(latest | {gone: latest[gone]._replace(number=9)}, model)[0]
    assert outdated(latest | {"stranger": heard("stranger", 1)}, model) == ["the exit of stranger is not in the hub"]


def test_each_kill_is_due_once_at_its_share() -> None:
    plan = KillPlan([0.6, 0.3])
    assert [plan.overdue(share) for share in (0.1, 0.3, 0.4, 0.7, 0.9)] == [False, True, False, True, False]
    assert sorted(KillPlan.of(4, random.Random(1)).shares, reverse=True) == KillPlan.of(4, random.Random(1)).shares
