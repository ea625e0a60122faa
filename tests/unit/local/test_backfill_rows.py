"""How the command line shows a backfill: states, numbers, and the columns that a terminal has room for."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from local.commands.output.backfill_output import as_json, backfill_table
from local.commands.output.backfill_rows import HEADINGS, cells_of, facts_of, line_of, state_of
from local.terminal import duration
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Progress, Slice
from shared.domain.backfills.standstill import standstill_of
from shared.domain.backfills.upload import UploadOrder
from shared.domain.instants import MINUTE, SECOND
from shared.services.backfills.status import BackfillStatus
from tests.kit.builders import NOW

WAITING = Backfill(
    "crm-2",
    BackfillKind.BACKFILL,
    BackfillState.WAITING,
    requested_at=NOW - 10 * SECOND,
    due_at=NOW + 5 * SECOND,
    destination_id="crm",
    audiences=((("ups", "a"), None), (("uploads", "b"), NOW - MINUTE)),
)
RUNNING = replace(WAITING, state=BackfillState.RUNNING, started_at=NOW - 8 * SECOND)
DONE = replace(RUNNING, state=BackfillState.DONE, finished_at=NOW)
CANCELLED = replace(RUNNING, state=BackfillState.CANCELLED, finished_at=NOW)
HALF = [
    Slice("crm-2", 0, share=1.0, done=True, members=3_000, exported=2_990, undelivered=10, note="of no interest"),
    Slice("crm-2", 1, note="the destination is down"),
]


def status(
    backfill: Backfill, slices: Sequence[Slice] = (), *, paused: bool = False, down_since: int = 0, now: int = NOW
) -> BackfillStatus:
    still = standstill_of(backfill, slices, paused=paused, down_since=down_since, now=now)
    return BackfillStatus(backfill, Progress.of(backfill, slices, now), still, {("ups", "a"): "Buyers"}, now)


@pytest.mark.parametrize(
    ("backfill", "expected"),
    [
        (WAITING, "waiting, due in 5 s"),
        (replace(WAITING, due_at=NOW), "waiting for its start"),
        (RUNNING, "running"),
        (replace(DONE, started_at=NOW - 5 * MINUTE), "done in 5 min"),
        (replace(CANCELLED, note="its dataflow was removed"), "cancelled: its dataflow was removed"),
        (replace(CANCELLED, note="cancelled on request"), "cancelled on request"),
    ],
)
def test_the_state_says_what_is_waited_for_or_how_it_ended(backfill: Backfill, expected: str) -> None:
    assert state_of(status(backfill)) == expected


def test_a_paused_dataflow_pauses_its_backfill_until_that_has_ended() -> None:
    assert state_of(status(WAITING, paused=True)) == "paused"
    assert state_of(status(RUNNING, HALF, paused=True)) == "paused"
    assert cells_of(status(RUNNING, HALF, paused=True))["LEFT"] == "-"
    assert state_of(status(DONE, paused=True)) == "done in 8 s"


def test_an_upload_goes_to_no_destination_and_may_fail() -> None:
    upload = replace(
        RUNNING,
        id="upload-1",
        kind=BackfillKind.UPLOAD,
        destination_id="",
        audiences=((("ups", "a"), None),),
        upload=UploadOrder(replace=True, force=False, writable_until=0, time=NOW),
    )
    part = Slice("upload-1", 0, share=0.25, members=1_200, exported=1_190, updated_at=NOW)
    cells = cells_of(status(upload, [part]))
    assert (cells["TO"], cells["AUDIENCES"], cells["STATE"]) == ("-", "Buyers", "running")
    assert (cells["MEMBERS"], cells["EXPORTED"], cells["LEFT"]) == ("1,200", "1,190", "24 s")
    failed = replace(upload, state=BackfillState.FAILED, finished_at=NOW, note="the file was deleted")
    assert state_of(status(failed, [part])) == "failed: the file was deleted"


def test_what_holds_a_slice_is_told() -> None:
    assert state_of(status(RUNNING, HALF)) == "running: the destination is down"
    assert state_of(status(RUNNING, HALF[:1], down_since=NOW - MINUTE)) == "running: the destination is down"
    assert state_of(status(DONE, HALF)) == "done in 8 s"


def test_a_row_has_all_there_is_to_know() -> None:
    assert cells_of(status(RUNNING, HALF)) == {
        "ID": "crm-2",
        "TO": "crm",
        "AUDIENCES": "Buyers, uploads/b",
        "STATE": "running: the destination is down",
        "MEMBERS": "3,000",
        "EXPORTED": "2,990",
        "UNDELIVERED": "10",
        "SHARE": "████░░░░  50 %",
        "RATE": "375/s",
        "LEFT": "8 s",
        "AGE": "10 s",
    }
    many = replace(RUNNING, audiences=tuple((("ups", f"audience-{number}"), None) for number in range(20)))
    assert cells_of(status(many))["AUDIENCES"] == "20 audiences"
    sweep = replace(RUNNING, id="sweep-1", kind=BackfillKind.SWEEP, destination_id="", audiences=())
    assert (cells_of(status(sweep))["TO"], cells_of(status(sweep))["AUDIENCES"]) == ("-", "all profiles")


def test_json_is_what_the_api_shows() -> None:
    assert json.loads(as_json(status(RUNNING, HALF))) == {
        "id": "crm-2",
        "kind": "backfill",
        "destination": "crm",
        "audiences": [
            {"namespace": "ups", "id": "a", "name": "Buyers", "since": None},
            {"namespace": "uploads", "id": "b", "name": "", "since": "2026-01-11T21:59:00Z"},
        ],
        "resync": None,
        "state": "running",
        "note": "",
        "requestedAt": "2026-01-11T21:59:50Z",
        "dueAt": "2026-01-11T22:00:05Z",
        "startedAt": "2026-01-11T21:59:52Z",
        "finishedAt": None,
        "progress": {
            "members": 3_000,
            "exported": 2_990,
            "undelivered": 10,
            "share": 0.5,
            "membersPerSecond": 375.0,
            "secondsLeft": 8,
        },
        "standstill": {"reason": "held", "why": "the destination is down", "since": None},
    }


def test_a_line_is_whole_in_itself_and_time_alone_is_no_change() -> None:
    running = status(RUNNING, HALF)
    assert line_of(running) == (
        "2026-01-11T22:00:00Z  crm-2  running: the destination is down  50%  "
        "3,000 members, 2,990 exported, 10 undelivered"
    )
    assert "undelivered" not in line_of(status(DONE))
    assert facts_of(running) == facts_of(status(RUNNING, HALF, now=NOW + MINUTE))
    assert facts_of(running) != facts_of(status(RUNNING, HALF[:1]))


def test_names_cannot_drive_the_terminal() -> None:
    evil = replace(WAITING, audiences=((("ups", "\x1b[2J"), None),))
    assert "\x1b" not in cells_of(status(evil))["AUDIENCES"]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (200, list(HEADINGS)),
        (110, ["ID", "STATE", "MEMBERS", "EXPORTED", "UNDELIVERED", "SHARE", "LEFT"]),
        (70, ["ID", "STATE", "EXPORTED", "SHARE"]),
    ],
)
def test_a_narrow_terminal_does_without_the_least_needed_columns(width: int, expected: list[str]) -> None:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(backfill_table([status(RUNNING, HALF)], width))
    heading, row = captured.get().splitlines()
    assert heading.split() == expected
    assert "running: the destination is down" in row


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0 s"),
        (0.04, "0 s"),
        (2.46, "2.5 s"),
        (65, "65 s"),
        (119, "119 s"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (10**6, "12 d"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
