"""One profile change, field by field: what is taken, and how a refusal reads."""

import json
from typing import Any

import pytest

from shared.domain.instants import MINUTE, format_instant, parse_instant
from shared.domain.profile.change import CLOCK_TOLERANCE, MAX_PROFILE_ID_LENGTH, InvalidChangeError, parse_change
from shared.domain.profile.memberships import Strength
from tests.kit.builders import NOW, START, item, membership

QUALIFIED = "2026-01-11T20:00:00.5+01:00"
INSTANT = "expected a date and time with a zone, such as 2026-01-11T21:24:39Z"
STATUS = "expected 'realized', 'exited', 'existing' or 'exiting'"
MISSING = "expected this field, which is missing"
UNKNOWN = "expected no such field (is its name misspelt?)"
NOT_EMPTY = "expected a string that is not empty"
SECRET = "s3cret"
ENTRY = {"status": "realized", "lastQualificationTime": QUALIFIED}


def refusal(**fields: Any) -> list[str]:
    """The problems of an item that would be fine but for `fields`."""
    with pytest.raises(InvalidChangeError) as error:
        parse_change(item("p", 0) | fields, NOW)
    return str(error.value).split("; ")


def in_membership(entry: Any, namespace: str = "ups", audience: str = "a") -> dict[str, Any]:
    return {"segmentMembership": {namespace: {audience: entry}}}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"profileId": None}, "/profileId: expected a string"),
        ({"profileId": 471134}, "/profileId: expected a string"),
        ({"profileId": ""}, f"/profileId: {NOT_EMPTY}"),
        ({"profileId": SECRET * 1_000}, "/profileId: expected at most 2,000 characters"),
        ({"occurredAt": None}, "/occurredAt: expected a string"),
        ({"occurredAt": 1_768_132_800}, "/occurredAt: expected a string"),
        ({"occurredAt": SECRET}, f"/occurredAt: {INSTANT}"),
        ({"occurredAt": "2026-01-11"}, f"/occurredAt: {INSTANT}"),
        ({"changeId": [SECRET]}, "/changeId: expected a string"),
        ({"attributes": None}, "/attributes: expected an object"),
        ({"attributes": [SECRET]}, "/attributes: expected an object"),
        ({"identityMap": SECRET}, "/identityMap: expected an object"),
        ({"identityMap": {"ecid": {"id": SECRET}}}, "/identityMap/ecid: expected an array"),
        ({"identityMap": {"ecid": [SECRET]}}, "/identityMap/ecid/0: expected an object"),
        ({"identityMap": {"ecid": [{"id": "1"}, {"xid": SECRET}]}}, f"/identityMap/ecid/1/id: {MISSING}"),
        ({"identityMap": {"ecid": [{"id": 471134}]}}, "/identityMap/ecid/0/id: expected a string"),
        ({"identityMap": {"ecid": [{"id": ""}]}}, f"/identityMap/ecid/0/id: {NOT_EMPTY}"),
        ({"identityMap": {"": [{"id": SECRET}]}}, f"/identityMap/: {NOT_EMPTY}"),
        ({"segmentMembership": None}, "/segmentMembership: expected an object"),
        ({"segmentMembership": {"ups": [SECRET]}}, "/segmentMembership/ups: expected an object"),
        (in_membership(SECRET), "/segmentMembership/ups/a: expected an object"),
        (in_membership({"status": "realized"}), f"/segmentMembership/ups/a/lastQualificationTime: {MISSING}"),
        (in_membership({"lastQualificationTime": QUALIFIED}), f"/segmentMembership/ups/a/status: {MISSING}"),
        (in_membership(ENTRY | {"status": SECRET}), f"/segmentMembership/ups/a/status: {STATUS}"),
        (in_membership(ENTRY | {"status": "Realized"}), f"/segmentMembership/ups/a/status: {STATUS}"),
        (in_membership(ENTRY | {"status": None}), f"/segmentMembership/ups/a/status: {STATUS}"),
        (in_membership(ENTRY | {"validUntil": SECRET}), f"/segmentMembership/ups/a/validUntil: {INSTANT}"),
        (in_membership(ENTRY | {"validUntil": 471134}), "/segmentMembership/ups/a/validUntil: expected a string"),
        (in_membership(ENTRY, namespace=""), f"/segmentMembership/: {NOT_EMPTY}"),
        (in_membership(ENTRY, audience=""), f"/segmentMembership/ups/: {NOT_EMPTY}"),
        ({"profile_id": SECRET}, f"/profile_id: {UNKNOWN}"),
        ({"Attributes": {"a": SECRET}}, f"/Attributes: {UNKNOWN}"),
        ({"segmentMembership": {"a/b": {"~c": SECRET}}}, "/segmentMembership/a~1b/~0c: expected an object"),
        ({"identityMap": {"~1": SECRET}}, "/identityMap/~01: expected an array"),
        ({"~/": SECRET}, f"/~0~1: {UNKNOWN}"),
    ],
)
def test_a_refusal_names_the_field_and_what_was_expected_but_no_value(fields: dict[str, Any], problem: str) -> None:
    problems = refusal(**fields)
    assert problem in problems
    assert SECRET not in str(problems)
    assert "471134" not in str(problems)


@pytest.mark.parametrize("field", ["profileId", "occurredAt"])
def test_the_two_fields_that_every_change_needs(field: str) -> None:
    incomplete = {name: value for name, value in item("p", 0).items() if name != field}
    with pytest.raises(InvalidChangeError) as error:
        parse_change(incomplete, NOW)
    assert str(error.value) == f"/{field}: {MISSING}"


@pytest.mark.parametrize("not_an_object", [None, True, 3, 1.5, "text", [], [item("p", 0)]])
def test_an_item_that_is_no_object_is_refused(not_an_object: Any) -> None:
    with pytest.raises(InvalidChangeError, match=r"^expected an object with profileId and occurredAt$"):
        parse_change(not_an_object, NOW)


def test_several_problems_are_listed_each_with_its_place() -> None:
    assert refusal(profileId="", attributes=[], changeId=1, typo=1) == [
        f"/profileId: {NOT_EMPTY}",
        "/changeId: expected a string",
        "/attributes: expected an object",
        f"/typo: {UNKNOWN}",
    ]


@pytest.mark.parametrize(("number", "more"), [(5, []), (6, ["and 1 more"]), (40, ["and 35 more"])])
def test_the_first_five_problems_are_listed_and_the_rest_counted(number: int, more: list[str]) -> None:
    fields = {f"typo{n}": SECRET for n in range(number)}
    assert refusal(**fields) == [f"/typo{n}: {UNKNOWN}" for n in range(5)] + more


def test_a_bare_change_touches_nothing() -> None:
    change = parse_change({"profileId": "p", "occurredAt": "2026-01-11T21:00:00Z"}, NOW)
    assert (change.profile_id, change.occurred_at, change.change_id) == ("p", START, None)
    assert (change.attributes, change.identities, change.memberships) == ({}, None, {})


def test_a_full_change_is_taken_as_it_is() -> None:
    attributes = {"person": {"name": None, "": {}}, "list": [1, 1.5, {"a": None}], "segmentMembership": "mine"}
    change = parse_change(item("p", 0, changeId="c-1", attributes=attributes, deleted=False), NOW)
    assert (change.change_id, change.attributes) == ("c-1", attributes)


@pytest.mark.parametrize(
    ("status", "strength"),
    [
        ("realized", Strength.REALIZED),
        ("existing", Strength.REALIZED),
        ("exited", Strength.EXITED),
        ("exiting", Strength.EXITED),
    ],
)
@pytest.mark.parametrize("valid_until", [{}, {"validUntil": None}, {"validUntil": "2026-02-01T00:00:00+0000"}])
def test_a_membership_keeps_its_times_as_received(
    status: str, strength: Strength, valid_until: dict[str, str | None]
) -> None:
    entry = {"status": status, "lastQualificationTime": QUALIFIED, **valid_until, "mergePolicy": "ignored"}
    written = parse_change(item("p", 7, **in_membership(entry)), NOW).memberships["ups", "a"]
    assert (written.time, written.strength) == (START + 7_000_000, strength)
    assert (written.last_qualification_time, written.valid_until) == (QUALIFIED, valid_until.get("validUntil"))


def test_audiences_are_told_apart_by_their_namespace() -> None:
    both = {**membership(0, audience="a", namespace="ups"), **membership(0, "exited", "a", namespace="custom")}
    memberships = parse_change(item("p", 0, segmentMembership=both), NOW).memberships
    assert {key: m.status for key, m in memberships.items()} == {("ups", "a"): "realized", ("custom", "a"): "exited"}


@pytest.mark.parametrize(
    ("fields", "identities"),
    [
        ({}, None),
        ({"identityMap": None}, {}),
        ({"identityMap": {}}, {}),
        ({"identityMap": {"ecid": []}}, {}),
        ({"identityMap": {"ecid": [{"id": "2"}, {"id": "1"}, {"id": "2"}]}}, {"ecid": ["2", "1"]}),
        ({"identityMap": {"ecid": [{"id": "1", "primary": True, "authenticatedState": None}]}}, {"ecid": ["1"]}),
        ({"identityMap": {"a": [{"id": "1"}], "b": [], "c": [{"id": "1"}]}}, {"a": ["1"], "c": ["1"]}),
    ],
)
def test_the_identity_map_is_left_alone_cleared_or_replaced(
    fields: dict[str, Any], identities: dict[str, list[str]] | None
) -> None:
    assert parse_change(item("p", 0, **fields), NOW).identities == identities


@pytest.mark.parametrize(
    "profile_id", ["x" * 2_000, "\U0001f600" * 2_000, " ", "\x00", "a/b\\c#d?e", "jane@example.com"]
)
def test_any_profile_id_of_at_most_2_000_characters_is_taken(profile_id: str) -> None:
    assert parse_change(item(profile_id, 0), NOW).profile_id == profile_id


@pytest.mark.parametrize("character", ["x", "\U0001f600"])
def test_a_profile_id_of_2_001_characters_is_refused(character: str) -> None:
    assert MAX_PROFILE_ID_LENGTH == 2_000
    assert refusal(profileId=character * 2_001) == ["/profileId: expected at most 2,000 characters"]


@pytest.mark.parametrize("ahead", [-MINUTE, 0, 5 * MINUTE - 1, 5 * MINUTE])
def test_a_change_may_be_five_minutes_ahead_of_the_clock(ahead: int) -> None:
    change = parse_change(item("p", 0) | {"occurredAt": format_instant(NOW + ahead)}, NOW)
    assert change.occurred_at == NOW + ahead


@pytest.mark.parametrize("ahead", [1, 60 * MINUTE])
def test_a_change_further_ahead_is_refused_for_it_would_freeze_the_profile(ahead: int) -> None:
    assert CLOCK_TOLERANCE == 5 * MINUTE
    assert refusal(occurredAt=format_instant(NOW + CLOCK_TOLERANCE + ahead)) == [
        "/occurredAt: expected at most 5 minutes ahead of the clock, which was at 2026-01-11T22:00:00Z"
    ]


def test_only_the_instant_counts_not_how_it_is_written() -> None:
    assert parse_change(item("p", 0) | {"occurredAt": "2026-01-12T03:04:00+05:00"}, NOW).occurred_at == parse_instant(
        "2026-01-11T22:04:00Z"
    )


def test_a_profile_can_be_deleted() -> None:
    assert parse_change(item("p", 0), NOW).deleted is False
    assert parse_change(item("p", 0, deleted=True), NOW).deleted is True


@pytest.mark.parametrize("wrong", ["true", 1, None, {}])
def test_deleted_is_false_or_the_change_is_refused(wrong: Any) -> None:
    [problem] = refusal(deleted=wrong)
    assert problem.startswith("/deleted: expected ")


@pytest.mark.parametrize(("levels", "taken"), [(62, True), (63, False), (900, False)])
def test_an_item_may_be_64_levels_deep(levels: int, taken: bool) -> None:
    """The item itself and `attributes` are two of them."""
    deep = json.loads('{"attributes":{"a":' + "[" * levels + "]" * levels + "}}")
    if taken:
        assert parse_change(item("p", 0) | deep, NOW).attributes == deep["attributes"]
    else:
        assert refusal(**deep) == ["expected at most 64 levels of nesting"]
