"""What the backfill measurement makes of requests and figures."""

import math
from dataclasses import dataclass

import pytest

from bench.harness.checks import Check, rounded
from bench.harness.figures import percentile
from bench.harness.storage_counts import kind_of


@dataclass
class _Request:
    method: str
    url: str


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "Profiles(PartitionKey='0001',RowKey='ab')", "Profiles: read"),
        ("GET", "AudienceMembers()?$filter=PartitionKey%20eq%20'a'", "AudienceMembers: query"),
        ("POST", "Backfills", "Backfills: insert"),
        ("PUT", "Backfills(PartitionKey='slices-x',RowKey='01')", "Backfills: replace"),
        ("DELETE", "Undelivered(PartitionKey='a',RowKey='b')", "Undelivered: delete"),
        ("POST", "backfill-slices/messages?visibilitytimeout=0", "queue backfill-slices: put"),
        ("GET", "backfill-slices/messages?numofmessages=16", "queue backfill-slices: receive"),
        ("DELETE", "backfill-slices/messages/1f?popreceipt=x", "queue backfill-slices: delete"),
    ],
)
def test_requests_are_told_apart_by_table_and_operation(method: str, path: str, kind: str) -> None:
    assert kind_of(_Request(method, f"http://127.0.0.1:10002/devstoreaccount1/{path}")) == kind


def test_a_check_holds_within_its_bounds() -> None:
    assert Check(what="w", value=1.02, at_least=0.98, at_most=1.02).holds
    assert not Check(what="w", value=0.97, at_least=0.98, at_most=1.02).holds
    assert not Check(what="w", value=math.nan, at_most=2).holds
    assert Check(what="w", value=99).holds
    assert Check(what="w", value=99).to_json() == {"what": "w", "value": 99, "of": ""}
    assert Check(what="w", value=1, at_least=0.98, at_most=1.02).bound == "0.98 to 1.02"


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([1, 2, 3, 4], 0.5) == 3
    assert percentile([1, 2, 3, 4], 0.95) == 4
    assert math.isnan(percentile([], 0.95))


def test_json_knows_no_nan() -> None:
    assert rounded({"a": [math.nan, 1 / 3, 2, None, "x"]}) == {"a": [None, 0.33333, 2, None, "x"]}
