"""Instants: which texts name one, which are refused, and that no precision is lost on the way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.instants import DAY, MILLISECOND, MINUTE, SECOND, format_instant, parse_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = 1_768_132_800_000_000
"""2026-01-11T12:00:00Z: 20,464 days and a half after the epoch."""


def microseconds(moment: datetime) -> int:
    """The same by another way: whole seconds from the calendar, microseconds beside them."""
    since = moment.astimezone(UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def test_units_are_microseconds() -> None:
    assert (MILLISECOND, SECOND, MINUTE, DAY) == (1_000, 1_000_000, 60_000_000, 86_400_000_000)
    assert (20_464 * DAY) + 12 * 60 * MINUTE == NOON


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-11T12:00:00Z",
        "2026-01-11T12:00:00+0000",
        "2026-01-11T12:00:00+00:00",
        "2026-01-11T12:00:00-00:00",
        "2026-01-11T13:00:00+01:00",
        "2026-01-11T13:00:00+0100",
        "2026-01-11T06:30:00-05:30",
        "2026-01-12T11:59:00+23:59",
        "2026-01-10T12:01:00-2359",
        "2026-01-11T12:00:00.000000000Z",
        "2026-01-11T12:00:00.0+0000",
    ],
)
def test_every_zone_form_of_one_instant_compares_equal(text: str) -> None:
    assert parse_instant(text) == NOON


@pytest.mark.parametrize(
    ("decimals", "expected"),
    [
        ("", 0),
        (".1", 100_000),
        (".12", 120_000),
        (".123", 123_000),
        (".1234", 123_400),
        (".12345", 123_450),
        (".123456", 123_456),
        (".1234569", 123_456),
        (".12345699", 123_456),
        (".123456999", 123_456),
        (".000001", 1),
        (".000000999", 0),
        (".999999999", 999_999),
    ],
)
def test_decimals_past_the_sixth_are_dropped(decimals: str, expected: int) -> None:
    for zone in ("Z", "+0000", "+00:00"):
        assert parse_instant(f"2026-01-11T12:00:00{decimals}{zone}") == NOON + expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ],
)
def test_instants_around_the_epoch_and_leap_days(text: str, expected: int) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1768132800",
        "2026-01-11T12:00:00",
        "2026-01-11",
        "2026-01-11Z",
        "2026-01-11T12:00Z",
        "20260111T120000Z",
        "2026-W02-7T12:00:00Z",
        "2026-011T12:00:00Z",
        "2026-01-11 12:00:00Z",
        "2026-01-11t12:00:00Z",
        "2026-01-11T12:00:00z",
        "2026-01-11T12:00:00 Z",
        " 2026-01-11T12:00:00Z",
        "2026-01-11T12:00:00Z\n",
        "2026-01-11T12:00:00.Z",
        "2026-01-11T12:00:00,5Z",
        "2026-01-11T12:00:00.1234567890Z",
        "2026-01-11T12:00:00+01",
        "2026-01-11T12:00:00+1:00",
        "2026-01-11T12:00:00+01:00:30",
        "2026-01-11T12:00:00+24:00",
        "2026-01-11T12:00:00 GMT",
        "2026-01-11T12:00:00[UTC]",
        "2026-01-11T24:00:00Z",
        "2026-01-11T12:60:00Z",
        "2026-01-11T12:00:60Z",
        "2026-02-30T12:00:00Z",
        "2025-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "0000-01-01T12:00:00Z",
        "-2026-01-11T12:00:00Z",
        "12026-01-11T12:00:00Z",
        "\u0662\u0660\u0662\u0666-01-11T12:00:00Z",
        "2026-01-11T12:00:00.\uff15Z",
        "2026\u201001\u201011T12:00:00Z",
    ],
)
def test_other_forms_and_dates_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (NOON, "2026-01-11T12:00:00Z"),
        (NOON + 100_000, "2026-01-11T12:00:00.100000Z"),
    ],
)
def test_an_instant_is_written_with_decimals_only_where_it_has_them(instant: int, text: str) -> None:
    assert format_instant(instant) == text


@settings(max_examples=40)
@given(st.datetimes(timezones=st.just(UTC)))
def test_what_was_formatted_parses_to_the_same_microsecond(moment: datetime) -> None:
    instant = microseconds(moment)
    assert parse_instant(format_instant(instant)) == instant


@settings(max_examples=40)
@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(-1439, 1439),
    st.booleans(),
)
def test_any_offset_names_the_same_instant(moment: datetime, minutes: int, colon: bool) -> None:
    local = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat(timespec="microseconds")
    text = local if colon else local[:-3] + local[-2:]
    assert parse_instant(text) == microseconds(moment)


@settings(max_examples=30)
@given(*[st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)] * 2)
def test_instants_are_ordered_as_their_texts_say(first: int, second: int) -> None:
    texts = [datetime.fromisoformat(format_instant(instant)) for instant in (first, second)]
    assert (first < second) == (texts[0] < texts[1])
