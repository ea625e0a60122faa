"""What destinations were told of a profile, and what of it waits."""

from dataclasses import replace

from shared.domain.exports.told import told_exports
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.instants import DAY, SECOND
from shared.domain.profile.due_exports import DueExports
from shared.domain.profile.last_told import mark
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW

STATE = ProfileState(
    "p",
    due={
        f"m{number}:0": DueExports((NOW + number * SECOND) // SECOND, NOW + number * SECOND, {"d": ["attribute"]})
        for number in range(4)
    },
    told={"d": mark(NOW - DAY, ["audience"]), "e": mark(NOW - 2 * DAY, ["identity", "consent"])},
)


def row(first_failed: float, version: int, reasons: tuple[str, ...] = ("attribute",)) -> Undelivered:
    """`first_failed`: seconds after the first change; `version`: the number of the last change that failed."""
    return Undelivered(
        destination_id="d",
        profile_id="p",
        state=UndeliveredState.RETRYING,
        version=NOW + version * SECOND,
        reasons=reasons,
        occurred_at=NOW,
        attempts=1,
        first_failed_at=NOW + int(first_failed * SECOND),
        last_failed_at=NOW + int(first_failed * SECOND),
        last_error="down",
    )


def waiting(undelivered: Undelivered) -> list[int]:
    """The numbers of the changes whose exports wait."""
    told = told_exports(STATE, {"d": undelivered})
    return sorted((each.version - NOW) // SECOND for each in told if each.waits)


def test_the_latest_comes_first_with_its_message_and_its_reasons() -> None:
    told = told_exports(STATE, {})
    assert [(each.destination_id, each.item) for each in told] == [
        *(("d", f"m{number}:0") for number in (3, 2, 1, 0)),
        ("d", None),
        ("e", None),
    ]
    assert (told[-1].at, told[-1].version, told[-1].reasons) == (
        NOW - 2 * DAY,
        NOW - 2 * DAY,
        ("identity", "consent"),
    )
    assert not any(each.waits for each in told)


def test_a_row_stands_for_what_failed_since_it_is_there() -> None:
    assert waiting(row(1.5, version=1)) == [1]
    assert waiting(row(1.5, version=2)) == [1, 2]
    assert waiting(row(0.1, version=3)) == [0, 1, 2, 3]
    assert waiting(row(-2, version=-1)) == []


def test_where_nothing_is_tried_all_that_came_later_waits() -> None:
    assert waiting(replace(row(1.5, version=1), state=UndeliveredState.PARKED)) == [1, 2, 3]
    assert waiting(replace(row(1.5, version=1), state=UndeliveredState.DEAD)) == [1]


def test_a_backfill_that_failed_says_nothing_of_what_changes_called_for() -> None:
    assert waiting(row(3.5, version=3, reasons=("backfill",))) == []
    assert waiting(row(2.5, version=3, reasons=("backfill", "attribute"))) == [2, 3]
