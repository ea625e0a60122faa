from datetime import UTC, datetime

import pytest

from shared.domain.ncrontab import Ncrontab, ScheduleError, parse_schedule


def expression(text: str) -> Ncrontab:
    schedule = parse_schedule(text)
    assert isinstance(schedule, Ncrontab)
    return schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("*", tuple(range(60))),
        ("7", (7,)),
        ("10-13", (10, 11, 12, 13)),
        ("*/20", (0, 20, 40)),
        ("50/5", (50, 55)),
        ("10-20/5", (10, 15, 20)),
        ("30,5,30,10-11", (5, 10, 11, 30)),
    ],
)
def test_reads_values_ranges_steps_and_lists(field: str, minutes: tuple[int, ...]) -> None:
    assert expression(f"0 {field} * * * *").minutes == minutes


def test_reads_names_of_months_and_weekdays() -> None:
    schedule = expression("0 0 0 * Jan,March-may mo-FRI")
    assert schedule.months == (1, 3, 4, 5)
    assert schedule.weekdays == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * * *", "no second"),
        ("0 60 * * * *", "no minute"),
        ("0 0 24 * * *", "no hour"),
        ("0 0 0 0 * *", "no day"),
        ("0 0 0 32 * *", "no day"),
        ("0 0 0 * 0 *", "no month"),
        ("0 0 0 * 13 *", "no month"),
        ("0 0 0 * * 7", "no weekday"),
        ("0 0 0 * monday *", "no month"),
        ("0 0 0 * mars *", "no month"),
        ("0 0 0 * * monthly", "no weekday"),
        ("0 0 \N{ARABIC-INDIC DIGIT THREE} * * *", "no hour"),
        ("0\t0 3 * * *", "cannot be read"),
        ("0 */0 * * * *", "cannot be read"),
        ("0 1, * * * *", "cannot be read"),
        ("0 *-5 * * * *", "cannot be read"),
        ("0 -5 * * * *", "cannot be read"),
        ("0 0 22-2 * * *", "backwards"),
        ("00:00:00", "no length"),
        ("1.24:00:00", "too many hours"),
        ("00:60:00", "too many hours, minutes"),
        ("-00:01:00", "no length"),
        ("00:01:00 or so", "not a time span"),
    ],
)
def test_refuses_what_is_no_schedule(text: str, reason: str) -> None:
    with pytest.raises(ScheduleError, match=reason):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "moment", "following"),
    [
        ("* * * * * *", "2026-03-01T10:00:00.250", "2026-03-01T10:00:01"),
        ("* * * * * *", "2026-03-01T10:00:00", "2026-03-01T10:00:01"),
        ("*/15 * * * * *", "2026-03-01T10:00:15", "2026-03-01T10:00:30"),
        ("0 */5 * * * *", "2026-03-01T10:55:00", "2026-03-01T11:00:00"),
        ("30 59 23 * * *", "2026-03-01T23:59:30", "2026-03-02T23:59:30"),
        ("0 30 9 * * 1-5", "2026-03-06T09:30:00", "2026-03-09T09:30:00"),
        ("0 0 0 1 1 *", "2026-03-01T00:00:00", "2027-01-01T00:00:00"),
        ("0 0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 13 * fri", "2026-03-13T00:00:00", "2026-11-13T00:00:00"),
        ("5 * * * *", "2026-03-01T10:05:00", "2026-03-01T11:05:00"),
        ("00:00:30", "2026-03-01T10:00:10", "2026-03-01T10:00:40"),
        ("1.00:00:00", "2026-03-01T10:00:00", "2026-03-02T10:00:00"),
    ],
)
def test_next_occurrence(text: str, moment: str, following: str) -> None:
    assert parse_schedule(text).next_after(at(moment)) == at(following)


def test_a_day_that_no_month_has_is_an_error() -> None:
    with pytest.raises(ScheduleError, match="never occurs"):
        parse_schedule("0 0 0 30 2 *").next_after(at("2026-01-01"))
