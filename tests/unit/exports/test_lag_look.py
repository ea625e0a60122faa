"""How old the oldest unread event is, by where partitions ended at earlier looks."""

import json
from dataclasses import replace

import pytest

from shared.domain.exports.lag import GroupLag, HubEnds, PartitionEnds
from shared.domain.exports.lag_look import CLOCKS_DIFFER, HOUR, LagLook, SeenEnds, Waited, name_of, seen_after
from shared.domain.instants import MINUTE, SECOND
from shared.domain.profile_key import partition_of_key, profile_key

NOW = 1_000 * HOUR


def look(first_unread: dict[str, int], *seen: tuple[int, dict[str, int]], **fields: object) -> LagLook:
    """A group has this unread; partitions ended there so many hours before."""
    ends = [SeenEnds(NOW - hours * HOUR, last) for hours, last in seen]
    made = LagLook(NOW, "c", seen=ends, groups=[GroupLag("g", first_unread=first_unread)])
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first_unread", "waited"),
    [
        ({}, None),
        ({"0": 25}, Waited(0, 3_600)),  # it came since the look an hour ago
        ({"0": 15}, Waited(3_600, 7_200)),
        ({"0": 10}, Waited(7_200, None)),  # it was there at the first look
        ({"0": 11}, Waited(3_600, 7_200)),
        ({"0": 25, "1": 5}, Waited(7_200, None)),  # the oldest counts, and what is not known of it
        ({"0": 15, "1": 7}, Waited(3_600, 7_200)),
        ({"2": 0}, Waited(0, None)),  # no look has seen the partition
    ],
)
def test_how_long_the_oldest_has_waited(first_unread: dict[str, int], waited: Waited | None) -> None:
    made = look(first_unread, (2, {"0": 10, "1": 5}), (1, {"0": 20, "1": 6}), (0, {"0": 30, "1": 8}))
    assert made.waited(made.groups[0]) == waited


def test_what_is_unread_came_no_later_than_the_last_event_of_its_partition() -> None:
    made = look({"0": 3}, (0, {"0": 9}), enqueued_at={"0": NOW - 40 * HOUR})
    assert made.waited(made.groups[0]) == Waited(40 * 3_600, None)


def test_a_clock_of_the_hub_that_is_ahead_makes_no_age_negative() -> None:
    made = look({"0": 9}, (1, {"0": 8}), (0, {"0": 9}), enqueued_at={"0": NOW + MINUTE})
    assert made.waited(made.groups[0]) == Waited(0, 3_600)


def test_the_share_of_the_retention() -> None:
    made = look({"0": 15}, (12, {"0": 10}), (6, {"0": 20}), (0, {"0": 30}))
    assert made.share_waited(24) == 0.5
    assert made.share_waited(48) == 0.25
    assert look({}, (0, {"0": 1})).share_waited(24) == 0
    assert LagLook(NOW, "c").share_waited(24) == 0
    assert LagLook(NOW, "c", kind="hub", problem="it is away").share_waited(24) is None


def test_what_expired_is_over_every_threshold() -> None:
    share = look({}, groups=[GroupLag("g", expired=1)]).share_waited(24)
    assert share is not None
    assert share > 1


KEYS = {
    partition: next(key for key in map(profile_key, map(str, range(99))) if partition_of_key(key, 3) == partition)
    for partition in range(3)
}
"""The key of a profile for each of three partitions."""


@pytest.mark.parametrize(
    ("partition", "read_up_to", "until"),
    [
        (0, {"a": 30}, 0),  # all that there was at the look
        (0, {"a": 29}, 1),
        (0, {"a": 19}, 2),
        (0, {"a": 9}, None),  # there was more at every look
        (0, {"b": 30}, None),  # nothing is known of the profile's partition
        (1, {"a": 1, "b": 6}, 1),
        (2, {"a": 30, "b": 8}, None),
    ],
)
def test_up_to_when_a_group_has_read_past_what_a_profile_was_exported(
    partition: int, read_up_to: dict[str, int], until: int | None
) -> None:
    ends = [(2, {"a": 10, "b": 5, "c": -1}), (1, {"a": 20, "b": 6, "c": -1}), (0, {"a": 30, "b": 8, "c": -1})]
    made = look({}, *ends, groups=[GroupLag("g", read_up_to=read_up_to)])
    at = None if until is None else NOW - until * HOUR - CLOCKS_DIFFER
    assert made.all_read_until(KEYS[partition]) == ({} if at is None else {"g": at})
    if at is None:
        assert made.readers_past(KEYS[partition], 0) == []
    else:
        assert made.readers_past(KEYS[partition], at) == ["g"]
        assert made.readers_past(KEYS[partition], at + 1) == []


def test_a_hub_that_got_more_partitions_says_nothing_of_who_has_read_what() -> None:
    groups = [GroupLag("g", read_up_to={"a": 9, "b": 9})]
    made = look({}, (1, {"a": 1}), (0, {"a": 1, "b": 1}), groups=groups)
    assert made.readers_past(KEYS[0], 0) == []
    assert LagLook(NOW, "c", groups=groups).readers_past(KEYS[0], 0) == []


def hub(last: int, created_at: int = 1) -> HubEnds:
    return HubEnds("contoso.servicebus.windows.net", "crm", created_at, {"0": PartitionEnds(0, last)})


def looked(minutes: int, retention_hours: int, created_at: int = 1, before: LagLook | None = None) -> LagLook:
    """Every five minutes for so long, at a hub that gets an event each minute."""
    kept = before
    for minute in range(0, minutes + 1, 5):
        at = NOW + minute * MINUTE
        ends = hub(minute, created_at)
        kept = LagLook(at, "c", name_of(ends), seen_after(kept, ends, at, retention_hours))
    assert kept is not None
    return kept


@pytest.mark.parametrize("retention_hours", [1, 24, 168])
def test_few_looks_are_kept_and_ages_stay_known_to_a_48th_of_the_retention(retention_hours: int) -> None:
    minutes = 3 * retention_hours * 60
    kept = looked(minutes, retention_hours)
    assert len(kept.seen) <= 48 + 12 + 3
    assert [each.at for each in kept.seen] == sorted({each.at for each in kept.seen})
    apart = retention_hours * HOUR / 48 / SECOND + 2 * 300
    for age in range(1, retention_hours * 60, 7):
        waited = kept.waited(GroupLag("g", first_unread={"0": minutes - age}))
        assert waited is not None
        assert waited.at_most is not None
        assert waited.at_least <= age * 60 <= waited.at_most <= waited.at_least + apart


def test_nothing_is_kept_of_an_earlier_hub() -> None:
    before = looked(60, 24)
    anew = hub(3, created_at=2)
    assert seen_after(before, anew, NOW + 2 * HOUR, 24) == [SeenEnds(NOW + 2 * HOUR, {"0": 3})]


def test_it_survives_being_stored() -> None:
    group = GroupLag("g", {"0": 3}, {"0": 7, "1": 2}, 4, ["1"], ["2"], ["3"], {"0": 6}, 9)
    made = look({}, (1, {"0": 1}), (0, {"0": 9}), groups=[group], enqueued_at={"0": 5}, hub="h", kind="k", problem="p")
    document = json.loads(json.dumps(made.to_document()))
    assert LagLook.from_document(document) == made
    document["groups"][0]["later"] = document["later"] = "what a later release knows"
    assert LagLook.from_document(document) == made
