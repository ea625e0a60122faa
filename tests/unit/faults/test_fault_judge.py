"""The fault load's judge: it sees what is lost, made up, doubled, recovered and broken."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local.exports import Export
from tests.faults.load.causes import SENT_ONCE_MORE
from tests.faults.load.disturbances import Disturbance
from tests.faults.load.judge import LoadVerdict, judge
from tests.faults.load.model import Model
from tests.kit.builders import START, at, destination, ids, item, membership

CONFIGURATION = {
    "destinations": [destination("d"), destination("e")],
    "dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/x"]}, {"id": "e", "audiences": ["b"]}],
}
CHANGES = [
    item("p", 1, segmentMembership=membership(1)),
    item("p", 2, attributes={"x": 1}),
    item("p", 3, identityMap=ids("1"), attributes={"x": 2}),
    item("stranger", 1, attributes={"x": 1}),
]
STATES: list[dict[str, Any]] = [
    {"segmentMembership": membership(1), "identityMap": {}},
    {"x": 1, "segmentMembership": membership(1), "identityMap": {}},
    {"x": 2, "segmentMembership": membership(1), "identityMap": ids("1")},
]


def export(
    version: int, body: Any = None, *, profile_id: str = "p", destination_id: str = "d", **fields: Any
) -> Export:
    """The export of the profile after its first `version` changes, stored ten seconds after the last of them."""
    return Export(
        hub=destination_id,
        partition=fields.get("partition", "0"),
        sequence_number=version,
        offset=str(version),
        enqueued_time=datetime.fromtimestamp(START / 1_000_000 + version + 10, UTC),
        content_type="application/json",
        message_id=fields.get("message_id", f"{destination_id} {profile_id} {version}"),
        partition_key=None,
        properties={
            "profileId": profile_id,
            "destinationId": destination_id,
            "profileVersion": version,
            "configRevision": 1,
            "reason": "attribute",
            "occurredAt": at(version),
        },
        body=STATES[version - 1] if body is None else body,
    )


RIGHT = [export(1), export(2), export(3)]


def verdict_on(exports: list[Export], *, dead: str = "", disturbance: Disturbance | None = None) -> LoadVerdict:
    sent_at = {(change["profileId"], change["occurredAt"]): START / 1_000_000 for change in CHANGES}
    return judge(
        Model(CONFIGURATION, CHANGES),
        exports,
        dead=frozenset([dead]),
        disturbances=[disturbance] if disturbance else [],
        sent_at=sent_at,
    )


def test_what_is_right_is_right_in_any_order() -> None:
    assert verdict_on(RIGHT) == LoadVerdict(pairs=1)
    assert verdict_on(RIGHT[::-1]) == LoadVerdict(pairs=1)
    assert verdict_on(RIGHT[2:]) == LoadVerdict(pairs=1)


@pytest.mark.parametrize("exports", [[], RIGHT[:2], [*RIGHT, export(4, STATES[1])]])
def test_the_greatest_version_is_missing_or_wrong(exports: list[Export]) -> None:
    verdict = verdict_on(exports)
    assert len(verdict.lost) == 1
    assert "('d', 'p')" in verdict.lost[0]
    assert verdict_on(exports, dead="d").lost == []


@pytest.mark.parametrize(
    "made_up",
    [
        export(1, profile_id="stranger"),
        export(1, destination_id="e"),
        export(1, destination_id="nobody"),
        export(1, STATES[0] | {"x": 7}),
        export(1, "no object"),
        replace(export(1), hub="e"),
        replace(export(1), properties={"destinationId": "d", "profileId": "p"}),
    ],
)
def test_what_nobody_asked_for_is_unexpected(made_up: Export) -> None:
    assert len(verdict_on([*RIGHT, made_up]).unexpected) == 1


def test_the_same_id_again_is_a_duplicate() -> None:
    verdict = verdict_on([*RIGHT, export(1), export(3), export(3)])
    assert verdict == LoadVerdict(duplicated=3, pairs=1, causes=Counter({SENT_ONCE_MORE: 3}))


def test_the_last_in_the_partition_is_to_be_the_greatest_version() -> None:
    overtaken = [export(1), export(3), replace(export(2), sequence_number=4)]
    verdict = verdict_on(overtaken)
    assert verdict.lost == []
    assert verdict.pairs == 1
    assert verdict.out_of_order == ["('d', 'p'): #4 of version 2 came after #3 of version 3, and nothing after it"]
    assert verdict_on([*overtaken, replace(export(3), sequence_number=5)]).out_of_order == []


def test_a_newer_configuration_is_greater_at_the_same_version() -> None:
    anew = export(3, message_id="by a newer configuration")
    anew.properties["configRevision"] = 2
    assert len(verdict_on([*RIGHT, replace(anew, sequence_number=2)]).out_of_order) == 1
    assert verdict_on([*RIGHT, replace(anew, sequence_number=4)]).out_of_order == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (export(2, STATES[0]), "names two bodies"),
        (export(2, message_id="another"), "several message ids"),
        (export(2, partition="1"), "partitions 0, 1"),
    ],
)
def test_a_broken_promise_is_told(broken: Export, problem: str) -> None:
    assert problem in verdict_on([*RIGHT, broken]).problems[0]


@pytest.mark.parametrize(
    ("began", "ended", "destination_id", "recovered"),
    [(5, 6, None, 1), (5, 6, "d", 1), (5, 6, "e", 0), (20, 30, None, 0), (-5, -1, None, 0)],
)
def test_recovered_is_what_was_under_way_during_a_fault(
    began: float, ended: float, destination_id: str | None, recovered: int
) -> None:
    start = START / 1_000_000
    disturbance = Disturbance(start + began, destination_id, start + ended)
    assert verdict_on(RIGHT, disturbance=disturbance).recovered == recovered
    assert verdict_on(RIGHT[:2], disturbance=disturbance).recovered == 0
