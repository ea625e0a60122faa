"""What an upload's lines mean, and that its changes give the same members in any order."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.backfills.csv_records import CsvRecord
from shared.domain.backfills.upload import BAD_LINES_KEPT, UploadHeader, UploadLine, UploadOrder, UploadTally, exit_of
from shared.domain.instants import SECOND, format_instant, parse_instant
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH, parse_change
from shared.domain.profile.memberships import Strength
from shared.domain.profile.state import ProfileState
from shared.errors import UploadRefusedError
from tests.kit.builders import NOW, at, item, membership, play, targets_of, told

AUDIENCE = ("ups", "a")
TIME = parse_instant(at(1_000)) + 123_456


def line(*fields: str, columns: tuple[str, ...] = ("profileId", "validUntil")) -> UploadLine:
    return UploadLine.of(CsvRecord(2, fields), columns)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (b"profileId", ("profileId",)),
        ("\ufeff validUntil , profileId\r\nx".encode(), ("validUntil", "profileId")),
        (b'\n"profileId"\n', ("profileId",)),
    ],
)
def test_headers(text: bytes, columns: tuple[str, ...]) -> None:
    assert UploadHeader.read(text, complete=True).columns == columns


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"validUntil\n", "line 1: the column profileId is missing"),
        (b"profileId,validUntil,profileId\n", "line 1: the column profileId is there twice"),
        (b"profileId,email\n", "line 1: column 2 has another name"),
        (b"secret@example.com\n", "line 1: column 1 has another name"),
        (b"\nprofileId;validUntil\n", "line 2: column 1 has another name"),
        (b"profileid\n", "line 1: column 1 has another name"),
        (b"\xff\xfep\0r\0", "line 1: UTF-16 text: save the file as UTF-8"),
        ("profileId,validUntil\n".encode("utf-16-le"), "line 1: UTF-16 text: save the file as UTF-8"),
        ("profileId\n".encode("utf-16-be"), "line 1: UTF-16 text"),
        (b"profileId\rjohn.doe\rjane", "line 1: a line end of a carriage return alone: save the file with LF or CRLF"),
        (b"profileId\r" + b"john.doe\r" * 10_000, "line 1: a line end of a carriage return alone"),
        (b'"profileId"\r"john.doe"\r', "line 1: a line end of a carriage return alone"),
        (b"x" * 100_000, "line 1: longer than 65,536 bytes"),
    ],
)
def test_a_header_that_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(UploadRefusedError) as error:
        UploadHeader.read(text, complete=True)
    assert str(error.value).startswith(reason)
    assert "expected a header of profileId and, if wanted, validUntil" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("text", [b"", b"\xef\xbb\xbf \n", b"\x1a", b"\xef\xbb\xbf\n\x1a\r\n"])
def test_a_file_of_json_lines_without_any_is_refused(text: bytes) -> None:
    with pytest.raises(UploadRefusedError, match="the file is empty"):
        UploadHeader.read(text, complete=True, file_format="ndjson")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (("",), "expected 2 fields as in the header, got 1"),
        (("x", "", ""), "expected 2 fields as in the header, got 3"),
        (("", ""), "profileId: it is empty"),
        ((" \t", ""), "profileId: it is empty"),
        (("x" * (MAX_PROFILE_ID_LENGTH + 1), ""), "profileId: expected at most 2,000 characters"),
        (("x", "secret"), "validUntil: expected a date and time with a zone"),
        (("x", "2026-02-30T00:00:00Z"), "validUntil: expected a date and time with a zone"),
    ],
)
def test_a_bad_line(fields: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        line(*fields)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("profile_id", ["p", " p ", "😀" * MAX_PROFILE_ID_LENGTH, 'a,"b"\nc\uffff', "=1+1"])
def test_a_line_is_a_change_that_the_app_takes(profile_id: str) -> None:
    change = parse_change(json.loads(line(profile_id, "2027-01-01T00:00:00+01:00").change(AUDIENCE, TIME)), NOW)
    assert (change.profile_id, change.occurred_at) == (profile_id, TIME)
    (written,) = change.memberships.values()
    assert (written.realized, written.last_qualification_time) == (True, format_instant(TIME))
    assert written.valid_until == "2027-01-01T00:00:00+01:00"


@pytest.mark.parametrize(
    ("until", "status"), [(-SECOND, "exited"), (0, "exited"), (1, "realized"), (SECOND, "realized")]
)
def test_a_line_whose_membership_is_over_is_no_entry(until: int, status: str) -> None:
    change = json.loads(line("p", format_instant(NOW + until)).change(("ups", "a"), NOW))
    assert change["segmentMembership"]["ups"]["a"]["status"] == status


def test_columns_may_come_in_any_order_and_valid_until_may_be_left_out() -> None:
    assert line("2027-01-01T00:00:00Z", "p", columns=("validUntil", "profileId")) == UploadLine(
        "p", "2027-01-01T00:00:00Z"
    )
    assert line("p", " ") == line("p", columns=("profileId",)) == UploadLine("p", None)


def test_bad_lines_are_all_counted_and_the_first_are_kept() -> None:
    tally = UploadTally(accepted=7, exits=3, last_key="ab")
    for number in range(2, 302):
        tally = tally.with_bad(number, "profileId: ü")
    assert (tally.bad, tally.lines, len(tally.bad_lines), tally.bad_lines[-1].line) == (300, 307, BAD_LINES_KEPT, 101)
    assert UploadTally.from_text(tally.to_text()) == tally
    assert UploadTally.from_text("") == UploadTally()


@pytest.mark.parametrize(
    ("replace", "force", "bad", "called_for"),
    [(True, False, 0, True), (True, False, 1, False), (True, True, 1, True), (False, True, 0, False)],
)
def test_whether_anybody_leaves(replace: bool, force: bool, bad: int, called_for: bool) -> None:
    order = UploadOrder(replace=replace, force=force, writable_until=0)
    assert order.exits_called_for(UploadTally(bad=bad)) == called_for


def written(*changes: dict[str, Any]) -> ProfileState:
    state = ProfileState("p")
    for change in changes:
        state.apply(parse_change(change, NOW), NOW)
    return state


EARLIER = item("p", 5, segmentMembership=membership(5))
LATER_EXIT = item("p", 2_000, segmentMembership=membership(2_000, "exited"))
LATER_ENTRY = item("p", 2_000, segmentMembership=membership(2_000))
LISTED = json.loads(line("p", "").change(AUDIENCE, TIME))
LEAVES = json.loads(exit_of("p", AUDIENCE, TIME))


@pytest.mark.parametrize(
    ("changes", "time", "strength"),
    [
        ([EARLIER, LISTED, LEAVES], TIME, Strength.REALIZED),
        ([EARLIER, LEAVES], TIME - 1, Strength.EXITED),
        ([LISTED, LEAVES], TIME, Strength.REALIZED),
        ([EARLIER, LISTED, LEAVES, LATER_EXIT], parse_instant(at(2_000)), Strength.EXITED),
        ([EARLIER, LEAVES, LATER_ENTRY], parse_instant(at(2_000)), Strength.REALIZED),
    ],
)
@given(data=st.data())
def test_any_order_and_duplication_gives_the_same_member(
    changes: list[dict[str, Any]], time: int, strength: Strength, data: st.DataObject
) -> None:
    """Earlier write, line, exit by replacement and later writes: the line is never harmed, whatever comes first."""
    again = data.draw(st.lists(st.sampled_from(changes), max_size=4))
    state = written(*data.draw(st.permutations(changes + again)))
    assert (state.memberships[AUDIENCE].time, state.memberships[AUDIENCE].strength) == (time, strength)


@given(st.permutations([EARLIER, LISTED, LEAVES]))
def test_a_slice_done_again_changes_nothing_and_exports_nothing(order: list[dict[str, Any]]) -> None:
    targets = targets_of({"id": "d", "audiences": ["a"]})
    state = written(*order)
    before = state.to_document()
    again = play(state, targets, *(parse_change(change, NOW) for change in order), message_id="again")
    assert (told(again.exports), again.altered, state.to_document()) == ([], False, before)


def test_a_member_that_is_listed_again_is_no_news_to_destinations() -> None:
    targets = targets_of({"id": "d", "audiences": ["a"]})
    state = ProfileState("p")
    assert told(play(state, targets, parse_change(EARLIER, NOW)).exports) == [("d", "audience")]
    assert told(play(state, targets, parse_change(LISTED, NOW), message_id="n").exports) == []
    assert told(play(state, targets, parse_change(LEAVES, NOW), message_id="o").exports) == []
    assert state.memberships[AUDIENCE].time == TIME


def test_an_upload_does_not_bring_back_who_was_forgotten_after_it() -> None:
    state = written(item("p", 2_000, deleted=True), LISTED)
    assert state.memberships == {}


def test_an_upload_as_before_is_kept_so_that_the_release_before_reads_it() -> None:
    """Which fails at a member that it does not know."""
    known = {"replace", "force", "writable_until", "time", "size", "etag", "cleared"}
    order = UploadOrder(replace=False, force=True, writable_until=9, time=8, size=7, etag="e", cleared=True)
    assert order.stored().keys() == known
    assert UploadOrder(**order.stored()) == order
    least = UploadOrder(replace=False, force=False, writable_until=0)
    assert least.stored() == {"replace": False, "force": False, "writable_until": 0}
    lines = UploadOrder(replace=False, force=False, writable_until=0, format="ndjson")
    assert UploadOrder(**lines.stored()) == lines
