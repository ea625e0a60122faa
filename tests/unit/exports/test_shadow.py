"""A shadow counts what its candidate would send, were it live; and what is live goes on as if there were none."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.model import Configuration, Dataflow, Shadow
from shared.domain.configuration.shadows import as_if_live
from shared.domain.configuration.targets import Targets
from shared.domain.exports.expiry import expire
from shared.domain.exports.shadow import Compared
from shared.domain.exports.transition import Transition, transition
from shared.domain.instants import DAY, MILLISECOND, SECOND
from shared.domain.profile.change import parse_change
from shared.domain.profile.state import ProfileState
from shared.domain.shadow_counts import ShadowCounts
from tests.kit.builders import NOW, change, configuration, destination, ids, membership, play
from tests.kit.made_exports import changes, configurations

STARTED = NOW // MILLISECOND
TRIGGERS = st.fixed_dictionaries({}, optional=dict.fromkeys(("audience", "attribute", "identity"), st.booleans()))


def with_shadow(made: Configuration, candidate: Dataflow, *, hours: int = 24) -> Configuration:
    shadow = Shadow(
        candidate=candidate,
        started_at=STARTED,
        ends_at=STARTED + hours * 3_600_000,
        revision=made.revision + 1,
        live_revision=made.revisions[candidate.id],
    )
    return made.model_copy(update={"shadows": [shadow], "revision": made.revision + 1})


def live_by(made: Configuration, candidate: Dataflow) -> Configuration:
    """The configuration, had the candidate been saved instead of tried."""
    shadow = with_shadow(made, candidate).shadows[0]
    dataflow = as_if_live(shadow, made.dataflow(candidate.id))
    return made.model_copy(update={"dataflows": [dataflow], "revisions": {candidate.id: made.revision + 1}})


def played(made: Configuration, items: list[dict[str, Any]]) -> list[Transition]:
    """What each of `items` does to one profile, each in a message of its own; a day later time ends memberships."""
    targets, state = Targets.of(made), ProfileState("p")
    results = [
        transition(state, [(0, parse_change(json.loads(json.dumps(each)), NOW))], f"m{number}", targets, NOW + number)
        for number, each in enumerate(items)
    ]
    return [*results, expire(state, targets, "sweep", NOW + DAY - SECOND)]


def counted(results: list[Transition]) -> ShadowCounts:
    counts = ShadowCounts()
    for result in results:
        for compared in result.compared:
            counts.add(compared.live, compared.candidate, differ=compared.differ)
    return counts


def sent(results: list[Transition]) -> tuple[Counter[str], int]:
    exports = [export for result in results for export in result.exports]
    return Counter(",".join(export.reasons) for export in exports), sum(len(export.body) for export in exports)


@st.composite
def candidates(draw: st.DrawFn) -> Dataflow:
    """A mapping of any kind, as `PUT` is given it: without times."""
    drawn = draw(configurations()).dataflow("crm").model_dump()
    audiences = [{"id": each["id"], "namespace": each["namespace"]} for each in drawn["audiences"]]
    chosen = {"triggers": draw(TRIGGERS), "skip_same_value_writes": draw(st.booleans())}
    return Dataflow.model_validate({**drawn, "audiences": audiences, **chosen})


@settings(max_examples=300)
@given(
    made=configurations(),
    candidate=candidates(),
    items=st.lists(st.integers(1, 9).flatmap(changes), min_size=1, max_size=6),
    data=st.data(),
)
def test_counts_what_is_sent_once_the_candidate_is_live(
    made: Configuration, candidate: Dataflow, items: list[dict[str, Any]], data: Any
) -> None:
    if data.draw(st.booleans()):  # one that only decides otherwise
        candidate = made.dataflow("crm").model_copy(update={"triggers": candidate.triggers})
    for item in items:
        item["deleted"] = data.draw(st.sampled_from([False] * 5 + [True]))
        if item["deleted"]:
            del item["attributes"], item["segmentMembership"], item["identityMap"]
    shadowed, plain, as_candidate = (
        played(each, items) for each in (with_shadow(made, candidate), made, live_by(made, candidate))
    )

    assert [result.exports for result in shadowed] == [result.exports for result in plain]
    assert [result.skipped for result in shadowed] == [result.skipped for result in plain]
    counts = counted(shadowed)
    assert (counts.live.by_reason, counts.live.bytes) == sent(plain)
    reasons, size = sent(as_candidate)
    assert counts.candidate.by_reason == reasons
    deleted_with_metadata = made.destinations[0].include_export_metadata and any(each["deleted"] for each in items)
    assert counts.candidate.bytes == size or deleted_with_metadata
    both = [
        (ours, theirs)
        for one, other in zip(plain, as_candidate, strict=True)
        for ours in one.exports
        for theirs in other.exports
    ]
    assert counts.both == len(both)
    assert counts.differing == sum(shown(ours.body) != shown(theirs.body) for ours, theirs in both)


def shown(body: bytes) -> Any:
    return {name: value for name, value in json.loads(body).items() if name != "_export"}


@settings(max_examples=100)
@given(made=configurations(), items=st.lists(st.integers(1, 9).flatmap(changes), min_size=1, max_size=6))
def test_a_shadow_of_the_live_mapping_counts_what_is_sent(made: Configuration, items: list[dict[str, Any]]) -> None:
    results = played(with_shadow(made, made.dataflow("crm")), items)
    counts = counted(results)
    assert counts.live == counts.candidate
    assert (counts.live.by_reason, counts.live.bytes) == sent(results)
    assert (counts.both, counts.differing) == (counts.live.exports, 0)


MADE = configuration(
    {
        "destinations": [destination("d"), destination("e")],
        "dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/x"]}, {"id": "e", "audiences": ["a"]}],
    }
)


def d(**fields: Any) -> Dataflow:
    return Dataflow.model_validate({"id": "d", "audiences": ["a"], "attributes": ["/x"], **fields})


def compared(candidate: Dataflow, *items: dict[str, Any], now: int = NOW) -> list[Compared]:
    """Of the last of `items`."""
    targets, state = Targets.of(with_shadow(MADE, candidate)), ProfileState("p")
    for second, fields in enumerate(items):
        result = play(state, targets, change(second, **fields), message_id=f"m{second}", now=now)
    return result.compared


IN_A = {"segmentMembership": membership(1)}
IN_B = {"segmentMembership": membership(1, audience="b")}
X = {"attributes": {"x": 1}}


def test_what_only_one_of_both_exports() -> None:
    (only_candidate,) = compared(d(audiences=["a", "b"]), IN_B)
    assert (only_candidate.live, only_candidate.differ) == (None, False)
    assert only_candidate.candidate is not None
    assert only_candidate.candidate[0] == "audience"
    (only_live,) = compared(d(triggers={"attribute": False}), IN_A, X)
    assert only_live.candidate is None
    assert only_live.live is not None
    assert only_live.live[0] == "attribute"


def test_consent_that_only_the_candidate_asks_for() -> None:
    asks = d(consent="/c")
    assert [each.candidate for each in compared(asks, IN_A, X)] == [None]
    (given_now,) = compared(asks, IN_A, {"attributes": {"c": True}})
    assert given_now.live is None
    assert given_now.candidate is not None
    assert given_now.candidate[0] == "consent"


def test_other_destinations_are_not_compared() -> None:
    assert {each.destination_id for each in compared(d(attributes=[]), IN_A)} == {"d"}


def test_a_redelivered_change_counts_once() -> None:
    targets, state = Targets.of(with_shadow(MADE, d(attributes=[]))), ProfileState("p")
    first = play(state, targets, change(1, **IN_A))
    again = play(state, targets, change(1, **IN_A))
    assert (len(first.compared), len(again.exports), again.compared) == (1, 2, [])


def test_nothing_is_compared_once_its_time_is_over() -> None:
    over = NOW + 24 * 3_600 * SECOND
    assert len(compared(d(attributes=[]), IN_A, now=over - 1)) == 1
    assert compared(d(attributes=[]), IN_A, now=over) == []


def test_a_paused_dataflow_is_tried_as_if_it_were_not() -> None:
    paused = MADE.model_copy(update={"dataflows": [d(enabled=False), MADE.dataflow("e")]})
    targets = Targets.of(with_shadow(paused, d(enabled=False)))
    result = play(ProfileState("p"), targets, change(1, **IN_A))
    (to_e,) = result.exports
    assert to_e.destination.id == "e"
    assert [(each.live, each.candidate) for each in result.compared] == [(None, ("audience", len(to_e.body)))]


@pytest.mark.parametrize("scheduled", [{"activeFrom": STARTED + 1}, {"activeUntil": STARTED}])
def test_an_audience_whose_schedule_is_not_on_is_not_mapped(scheduled: dict[str, int]) -> None:
    assert compared(d(audiences=["a", {"id": "b", **scheduled}]), IN_B) == []
    assert len(compared(d(audiences=["a", {"id": "b", "activeFrom": STARTED}]), IN_B)) == 1


def test_what_brings_no_export_costs_no_comparison() -> None:
    assert compared(d(audiences=["a", "b"]), {"identityMap": ids("1")}) == []
    assert compared(d(audiences=["a", "b"]), IN_A, {"attributes": {"unmapped": 1}}) == []
