"""Lines of NDJSON read piece by piece: what they are, where they begin, and what one bad line costs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.backfills.csv_records import RECORD_LIMIT, CsvRecord, Place
from shared.domain.backfills.ndjson_records import NdjsonReader
from shared.domain.backfills.upload import COLUMNS

JOHN = b'{"profileId":"john"}'


def read(data: bytes, *, piece: int = 4 * RECORD_LIMIT) -> list[CsvRecord]:
    """All records, a new reader going on from the place of the one before after each piece of the file."""
    place = Place()
    records: list[CsvRecord] = []
    while place.offset < len(data):
        reader = NdjsonReader(Place.parse(str(place)), COLUMNS)
        window = data[place.offset : place.offset + piece]
        records += reader.read(window, complete=place.offset + len(window) == len(data))
        assert reader.place.offset > place.offset, "it must come further"
        place = reader.place
    return records


def test_lines_and_their_numbers() -> None:
    data = (
        b'\xef\xbb\xbf{"profileId": "a"}\r\n\n  \n{"validUntil": "2026-01-01T00:00:00Z", "profileId": "\\u00fc, b"}\n'
    )
    data += b'{"profileId": "c", "validUntil": null}'
    assert read(data) == [
        CsvRecord(1, ("a", "")),
        CsvRecord(4, ("ü, b", "2026-01-01T00:00:00Z")),
        CsvRecord(5, ("c", "")),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"john", "JSON"),
        (b'{"profileId": "x"', "JSON"),
        (b'"john"', "expected an object with profileId and, if wanted, validUntil"),
        (b"[]", "expected an object"),
        (b"{}", "expected profileId and, if wanted, validUntil, and no other member"),
        (b'{"profileId": "x", "email": "y"}', "and no other member"),
        (b'{"profileId": 7}', "expected text"),
        (b'{"profileId": "x", "validUntil": 7}', "expected text"),
        (b'{"profileId": "\\ud800"}', "expected text"),
        (b'{"profileId": "\xff"}', "UTF-8"),
        (JOHN + b"\r" + JOHN, "a carriage return alone"),
        ((JOHN + b"\r") * 10_000, "a carriage return alone"),
        (JOHN.decode().encode("utf-16-le"), "UTF-16"),
        (JOHN.decode().encode("utf-16"), "UTF-16"),
        (b"x" * RECORD_LIMIT * 2, "longer than 65,536 bytes"),
        (b"x" * 10 * RECORD_LIMIT, "longer than 65,536 bytes"),
    ],
)
def test_a_bad_line_costs_itself_alone(bad: bytes, reason: str) -> None:
    first, second, third = read(JOHN + b"\n" + bad + b"\n" + JOHN)
    assert (first.fields, first.line, third.fields, third.line) == (("john", ""), 1, ("john", ""), 3)
    assert (second.line, second.fields) == (2, ())
    assert reason in second.problem


@given(
    ids=st.lists(
        st.text(min_size=1, max_size=20).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
    ),
    piece=st.integers(RECORD_LIMIT + 1, 4 * RECORD_LIMIT),
    padding=st.integers(0, 3),
)
def test_in_pieces_it_is_the_same_as_at_once(ids: list[str], piece: int, padding: int) -> None:
    long = [f"{'x' * 30_000}{number}" for number in range(padding * 3)]
    data = "\n".join(json.dumps({"profileId": each}) for each in (*ids, *long)).encode()
    assert [record.fields[0] for record in read(data, piece=piece)] == [*ids, *long]


@pytest.mark.parametrize("end", [b"\x1a", b"\n\x1a", b"\r\n\x1a\r\n", b"\n\x1a\x1a\x1a"])
def test_an_end_of_file_mark_is_no_line(end: bytes) -> None:
    assert read(JOHN + b"\n" + JOHN + end) == [CsvRecord(1, ("john", "")), CsvRecord(2, ("john", ""))]
