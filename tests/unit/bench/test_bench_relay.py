"""What the measurement of a change's way makes of changes, runs and results."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.harness.checks import Check
from bench.harness.people import member_id, profile
from bench.harness.report import MeasuredPart, markdown, publish, write_part
from bench.relay.limit import Operations
from bench.relay.measures.comparing import Told, differences
from bench.relay.measures.operations import operations_per_change
from bench.relay.scene import CHANGES_A_PROFILE, DECK, Batch, changes_of, messages_of
from bench.relay.stacks import operations_of
from bench.relay.tutorial import targets
from local.stack.part import PROJECT
from shared.domain.exports.transition import transition
from shared.domain.profile.change import parse_change
from tests.kit.builders import NOW

BATCHES = [Batch(mix=mix, first=40, changes=2 * DECK, at=NOW) for mix in CHANGES_A_PROFILE]


@pytest.mark.parametrize("batch", BATCHES, ids=CHANGES_A_PROFILE)
def test_seven_of_ten_changes_write_attributes_two_a_membership_one_identities(batch: Batch) -> None:
    kinds = Counter(
        next(key for key in change if key not in ("profileId", "occurredAt")) for change in changes_of(batch)
    )
    assert kinds == {"attributes": 56, "segmentMembership": 16, "identityMap": 8}


@pytest.mark.parametrize("batch", BATCHES, ids=CHANGES_A_PROFILE)
def test_each_profile_has_as_many_changes_as_the_mix_says(batch: Batch) -> None:
    of_each = Counter(change["profileId"] for change in changes_of(batch))
    assert of_each == {member_id(number): CHANGES_A_PROFILE[batch.mix] for number in batch.profiles}


def test_half_of_the_membership_changes_enter_an_audience() -> None:
    statuses = Counter(
        entry["status"]
        for change in changes_of(BATCHES[0])
        for audiences in change.get("segmentMembership", {}).values()
        for entry in audiences.values()
    )
    assert statuses == {"realized": 8, "exited": 8}


@pytest.mark.parametrize("batch", BATCHES, ids=CHANGES_A_PROFILE)
def test_each_change_is_exported_once_and_any_order_ends_the_same(batch: Batch) -> None:
    """Without that, exports of those who apply them in another order could not be compared."""
    told: list[dict[str, Any]] = []
    for changes in (changes_of(batch), changes_of(batch)[::-1]):
        states = {member_id(number): profile(member_id(number), NOW).state for number in batch.profiles}
        bodies: dict[str, Any] = {}
        exported = 0
        for number, change in enumerate(changes):
            state = states[change["profileId"]]
            result = transition(state, [(0, parse_change(change, NOW))], f"m-{number}", targets(), NOW)
            exported += len(result.exports)
            bodies |= {export.profile_id: export.body for export in result.exports}
        assert exported == batch.changes
        told.append(bodies)
    assert told[0] == told[1]


def test_the_same_batch_has_the_same_changes() -> None:
    assert changes_of(BATCHES[1]) == changes_of(BATCHES[1])


def test_messages_hold_what_they_are_told_to() -> None:
    changes = [json.dumps(change) for change in changes_of(BATCHES[1])]
    assert [len(json.loads(text)["changes"]) for text in messages_of(changes, 32)] == [32, 32, 16]
    assert messages_of(changes, 1) == changes
    assert len(messages_of(changes)) == 1


def _told(*exports: tuple[str, int, Any]) -> Told:
    told = Told()
    for export in exports:
        told.add(*export)
    return told


def test_hubs_were_told_the_same_whatever_the_versions_and_the_order() -> None:
    one = {"p": _told(("attribute", 1, {"a": 1}), ("identity", 2, {"a": 2, "b": 3}))}
    assert not differences(one, {"p": _told(("identity", 9, {"b": 3, "a": 2}), ("attribute", 8, {"a": 7}))})


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"p": _told(("attribute", 1, {"a": 1}), ("attribute", 2, {"a": 1}))},
        {"p": _told(("identity", 1, {"a": 1}))},
        {"p": _told(("attribute", 1, {"a": True}))},
    ],
    ids=["nothing", "twice", "for another reason", "another body"],
)
def test_what_was_told_otherwise_is_found(other: dict[str, Told]) -> None:
    assert differences({"p": _told(("attribute", 1, {"a": 1}))}, other) == ["p"]


RUN = {
    "requests": {
        "Profiles: read": 40,
        "Profiles: insert": 10,
        "Profiles: replace": 30,
        "AudienceMembers: replace": 4,
        "Configuration: read": 1,
        "queue profile-changes: put": 4,
        "queue profile-changes: receive": 1,
        "queue profile-changes: delete": 4,
    },
    "bytesOut": {"table": 4_000, "queue": 800},
    "bytesIn": {"table": 6_000},
    "sends": 8,
    "events": 40,
    "eventBytes": 80_000,
}


def test_the_limit_does_what_the_app_did_on_the_way_of_a_change() -> None:
    assert operations_of(RUN, 1_700) == Operations(
        reads=40, saves=40, index_rows=4, sends=8, events=40, body_bytes=1_700
    )


def test_a_request_that_the_limit_does_not_know_is_not_left_out() -> None:
    requests = {**RUN["requests"], "Profiles: query": 1}  # type: ignore[dict-item]
    with pytest.raises(RuntimeError, match="Profiles: query"):
        operations_of({**RUN, "requests": requests}, 1_700)


def test_requests_that_were_not_seen_are_not_taken_for_none() -> None:
    with pytest.raises(RuntimeError, match="aiohttp"):
        operations_of({**RUN, "requests": {}}, 1_700)


def test_operations_are_counted_for_one_change() -> None:
    assert operations_per_change(RUN, 40) == {
        "tableRequests": 2.1,
        "tableReads": 1,
        "queueRequests": 9 / 40,
        "sends": 0.2,
        "events": 1,
        "tableBytes": 250,
        "queueBytes": 20,
        "eventBytes": 2_000,
    }


def _part(name: str, value: float) -> MeasuredPart:
    return MeasuredPart(name, {"ratio": value}, [Check(what=f"{name} | ratio", value=value, of="a and b", at_least=2)])


WHERE = {"machine": "Linux", "cores": 2, "memoryGiB": 8, "commit": "abc", "versions": {"python": "3.13.1"}}


def test_a_part_replaces_its_own_results_alone(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    for part in (_part("speed", 1.0), _part("growth", 3.0), _part("speed", 2.5)):
        written = write_part(file, part, WHERE, 0.1)
    assert {name: each["figures"]["ratio"] for name, each in written.items()} == {"speed": 2.5, "growth": 3.0}
    assert json.loads(file.read_text()) == written


def test_the_page_shows_which_goals_are_met_between_its_marks(tmp_path: Path) -> None:
    file, page = tmp_path / "results.json", tmp_path / "bench.md"
    page.write_text("# Before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n", encoding="utf-8")
    for value in (1.0, 2.5):
        publish(write_part(file, _part("speed", value), WHERE, 0.1), page)
        text = page.read_text(encoding="utf-8")
        assert text.startswith("# Before\n")
        assert text.endswith("<!-- results: end -->\nafter\n")
        assert "old" not in text
        assert ("not met" in text) == (value < 2)
    assert "python 3.13.1" in text
    assert text.count("| speed") == 1


def test_the_configuration_maps_whatever_is_written() -> None:
    mapped = targets().by_audience
    changes = [parse_change(change, NOW) for batch in BATCHES for change in changes_of(batch)]
    assert {audience for change in changes for audience in change.memberships} <= mapped.keys()


def test_the_page_shows_the_results_that_are_kept() -> None:
    kept = json.loads((PROJECT / "bench" / "results.json").read_text(encoding="utf-8"))
    assert markdown(kept) in (PROJECT / "docs" / "bench.md").read_text(encoding="utf-8")
