"""How far readers are behind, by their checkpoints."""

from dataclasses import replace

import pytest

from shared.domain.exports.lag import (
    Checkpoint,
    GroupLag,
    HubEnds,
    PartitionEnds,
    checkpoint_of,
    group_lags,
)
from shared.domain.instants import SECOND
from shared.errors import NoCheckpointsError

NAMESPACE = "contoso.servicebus.windows.net"
ENDS = {"0": PartitionEnds(0, 99), "1": PartitionEnds(50, 59), "2": PartitionEnds(0, -1)}


def checkpoint(partition: str, sequence: int | None, group: str = "loader", namespace: str = NAMESPACE) -> Checkpoint:
    return Checkpoint(namespace, "crm", group, partition, sequence, written_at=7)


def lags(found: list[Checkpoint], *partitions: str, namespace: str = NAMESPACE, hub: str = "crm") -> list[GroupLag]:
    """Of a hub with these partitions, or all."""
    ends = {each: ENDS[each] for each in partitions or ENDS}
    return group_lags(found, HubEnds(namespace, hub, created_at=1, partitions=ends))


def test_what_is_unread_and_what_expired_unread() -> None:
    (lag,) = lags([checkpoint("0", 79), checkpoint("1", 40)], hub="CRM")
    assert (lag.group, lag.events, lag.expired, lag.unread, lag.written_at) == ("loader", 20 + 10, 9, ["2"], 7)
    assert (lag.behind, lag.first_unread, lag.worst) == ({"0": 20, "1": 10}, {"0": 80, "1": 50}, "0")
    assert lag.read_up_to == {"0": 79, "1": 40}
    assert lag.problems() == ["9 events expired unread: ask for a resync, and read faster or keep events longer"]


@pytest.mark.parametrize(("sequence", "events", "expired"), [(99, 0, 0), (0, 99, 0), (-1, 100, 0)])
def test_nothing_is_counted_twice(sequence: int, events: int, expired: int) -> None:
    (lag,) = lags([checkpoint("0", sequence)], "0")
    assert (lag.events, lag.expired, lag.problems()) == (events, expired, [])
    assert lag.first_unread == ({"0": sequence + 1} if events else {})


def test_the_event_after_the_checkpoint_may_be_the_oldest_there_is() -> None:
    (lag,) = lags([checkpoint("1", 49)], "1")
    assert (lag.events, lag.expired) == (10, 0)


def test_a_partition_without_a_checkpoint_is_unread_as_far_as_it_is_there() -> None:
    (lag,) = lags([checkpoint("0", 99)])
    assert (lag.events, lag.unread, lag.first_unread) == (10, ["1", "2"], {"1": 50})


def test_a_checkpoint_beyond_the_end_is_of_an_earlier_hub() -> None:
    """What is in the partition counts as waiting, though not as so many: its reader is let in nowhere."""
    (lag,) = lags([checkpoint("0", 100)], "0")
    assert (lag.events, lag.worst, lag.earlier, lag.first_unread) == (0, None, ["0"], {"0": 0})
    assert lag.problems()[0].startswith("partition 0: checkpoint of an earlier hub of this name: delete")


def test_a_checkpoint_from_before_the_hub_was_made_is_of_an_earlier_one_whatever_number_it_names() -> None:
    ends = {"0": ENDS["0"], "1": ENDS["1"]}
    made = HubEnds(NAMESPACE, "crm", created_at=7 + 5 * SECOND + 1, partitions=ends)
    (lag,) = group_lags([checkpoint("0", 79), checkpoint("1", 55)], made)
    assert (lag.events, lag.earlier, lag.read_up_to) == (0, ["0", "1"], {})
    (lag,) = group_lags([checkpoint("0", 79)], replace(made, created_at=7 + 5 * SECOND))  # clocks differ
    assert (lag.events, lag.earlier) == (20 + 10, [])


def test_an_earlier_hub_of_which_nothing_is_left_to_read() -> None:
    (lag,) = lags([checkpoint("2", 5)], "2")
    assert (lag.events, lag.earlier, lag.first_unread) == (0, ["2"], {})


def test_a_checkpoint_that_says_nothing_is_told_of() -> None:
    (lag,) = lags([checkpoint("0", None)], "0")
    assert lag.problems() == ["partition 0: its checkpoint names no sequencenumber"]


def test_groups_are_told_apart_and_the_later_of_two_checkpoints_counts() -> None:
    """Python and JavaScript name a local host differently, so there may be two."""
    found = [
        Checkpoint("127.0.0.1:5672", "crm", "b", "0", 10, written_at=1),
        Checkpoint("127.0.0.1", "crm", "b", "0", 90, written_at=2),
        Checkpoint("127.0.0.1", "crm", "a", "0", 99, written_at=1),
    ]
    assert [(lag.group, lag.events) for lag in lags(found, "0", namespace="127.0.0.1:5672")] == [("a", 0), ("b", 9)]


@pytest.mark.parametrize(
    ("found", "what"),
    [
        ([], "found none at all"),
        ([checkpoint("0", 1, namespace="other")], "found those of other/crm:"),
        ([checkpoint("0", 1, namespace=f"n{each}") for each in range(9)], "those of n0/crm, .*, n4/crm, …:"),
    ],
)
def test_a_wrong_container_is_named(found: list[Checkpoint], what: str) -> None:
    with pytest.raises(NoCheckpointsError, match=what) as raised:
        lags(found)
    assert raised.value.kind == "no-checkpoints"


@pytest.mark.parametrize(
    ("metadata", "sequence"),
    [
        ({"sequencenumber": "7", "offset": "1"}, 7),
        ({"SequenceNumber": "-1"}, -1),
        ({"offset": "1"}, None),
        ({"sequencenumber": ""}, None),
        ({"sequencenumber": "--1"}, None),
        ({"sequencenumber": "٣"}, None),
        ({"sequencenumber": "9" * 5_000}, None),
    ],
)
def test_what_a_blob_says(metadata: dict[str, str], sequence: int | None) -> None:
    found = checkpoint_of("contoso/crm/$default/checkpoint/12", metadata, 3)
    assert found == Checkpoint("contoso", "crm", "$default", "12", sequence, 3)


@pytest.mark.parametrize("name", ["contoso/crm/$default/ownership/12", "file.csv", "a/b/c/d/e", "a/b/checkpoint/0"])
def test_other_blobs_are_no_checkpoints(name: str) -> None:
    assert checkpoint_of(name, {"sequencenumber": "1"}, 3) is None
