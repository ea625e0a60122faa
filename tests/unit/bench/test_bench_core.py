"""The core's measurement: its work is what it says, and its figures are computed from what was timed."""

import json

import pytest

from bench.core import measure as timing
from bench.core.measure import handle, measure
from bench.core.workload import AUDIENCES, IDENTITIES, LEAVES, MEMBERSHIPS, body_of, changes, stored_profile, targets_of


def test_the_profile_is_as_large_as_the_goals_say_and_mapped_whole_by_the_first_dataflow() -> None:
    targets = targets_of(2)
    body = body_of(stored_profile(targets), targets)
    identities, memberships = body.pop("identityMap"), body.pop("segmentMembership")
    assert sum(len(group) for group in body.values()) == LEAVES
    assert len(memberships["ups"]) == MEMBERSHIPS
    assert sum(len(ids) for ids in identities.values()) == IDENTITIES
    assert [len(target.mapped) for target in targets.by_id.values()] == [AUDIENCES] * 2
    assert not targets.by_id["d0"].mapped.keys() & targets.by_id["d1"].mapped.keys()


@pytest.mark.parametrize(("exported", "exports"), [(True, 20), (False, 0)])
def test_each_change_alters_the_profile_and_calls_for_one_export_or_none(exported: bool, exports: int) -> None:
    targets = targets_of(2)
    handle(changes(20, exported=exported), [stored_profile(targets) for _ in range(20)], targets, exports)
    with pytest.raises(AssertionError, match="exports, got"):
        handle(changes(1, exported=exported), [stored_profile(targets)], targets, exports=7)


def test_seven_in_ten_changes_write_attributes_two_an_audience_and_one_the_identities() -> None:
    items = [json.loads(each.change) for each in changes(20, exported=True)]
    assert [sum(name in item for item in items) for name in ("attributes", "segmentMembership", "identityMap")] == [
        14,
        4,
        2,
    ]


def test_every_ratio_of_the_goals_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "CHANGES", 10)
    monkeypatch.setattr(timing, "DATAFLOWS", (1, 2))
    figures, checks = measure(rounds=1)
    assert len(figures["microseconds"]) == 2 * (1 + 2 + 1) + 2
    assert all(value > 0 for value in figures["microseconds"].values())
    assert {check.what: check.at_most for check in checks if check.bounded} == {
        "core, one export, 1 dataflow, over bare JSON": 6,
        "core, one export, 2 dataflows, over one dataflow": 1.3,
        "core, no export, 1 dataflow, over bare JSON": 3,
        "core, no export, 2 dataflows, over one dataflow": 1.3,
        "core, one export, 1 dataflow and a shadow, over none": 1.7,
        "core, no export, 1 dataflow and a shadow, over none": 1.2,
    }
