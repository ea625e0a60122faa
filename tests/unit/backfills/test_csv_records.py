"""CSV records read piece by piece: what they are, where they begin, and what one bad line costs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.backfills.csv_records import RECORD_LIMIT, CsvReader, CsvRecord, Place


def read(data: bytes, *, piece: int = 4 * RECORD_LIMIT) -> list[CsvRecord]:
    """All records, a new reader going on from the place of the one before after each piece of the file."""
    place = Place()
    records: list[CsvRecord] = []
    while place.offset < len(data):
        reader = CsvReader(Place.parse(str(place)))
        window = data[place.offset : place.offset + piece]
        records += reader.read(window, complete=place.offset + len(window) == len(data))
        assert reader.place.offset > place.offset, "it must come further"
        place = reader.place
    return records


def values(data: bytes) -> list[tuple[int, tuple[str, ...] | str]]:
    return [(record.line, record.problem or record.fields) for record in read(data)]


def test_records_their_lines_and_quotes() -> None:
    data = '\ufeffa,b\r\n"x,""y""",1\r\n\r\n"two\nlines",2\nü,3'.encode()
    assert values(data) == [
        (1, ("a", "b")),
        (2, ('x,"y"', "1")),
        (4, ("two\nlines", "2")),
        (6, ("ü", "3")),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'"x"y', "RFC 4180"),
        (b'x"y', "RFC 4180"),
        (b'"x', "RFC 4180|a quote that is not closed"),
        (b"x\ry", "a carriage return alone"),
        (b'"x"\r"y"', "a carriage return alone"),
        (b"\xff", "not UTF-8"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b"a\0b", "NUL"),
        (b"x" * RECORD_LIMIT, "longer than 65,536 bytes"),
        (b"x" * 10 * RECORD_LIMIT, "longer than 65,536 bytes"),
    ],
)
def test_a_bad_line_costs_itself_alone(bad: bytes, reason: str) -> None:
    first, second, *rest = read(b"1\n" + bad + b"\n3\n4\n")
    assert (first.fields, second.line, second.fields) == (("1",), 2, ())
    assert second.problem
    assert any(part in second.problem for part in reason.split("|"))
    assert [(record.line, record.fields) for record in rest] == [(3, ("3",)), (4, ("4",))]


def test_a_stray_quote_far_from_the_end_of_the_file() -> None:
    others = b"".join(b"%d\n" % number for number in range(30_000))
    records = read(b'"stray\n' + others)
    assert records[0].problem == "a quote that is not closed"
    assert len(records) == 30_001
    assert not any(record.problem for record in records[1:])


def test_a_line_of_several_lines_with_bytes_that_are_not_utf8_is_one_bad_line() -> None:
    assert values(b'"a\n\xff\nb"\nc') == [(1, "not UTF-8"), (4, ("c",))]


def test_the_largest_record() -> None:
    records = read(b"x" * (RECORD_LIMIT - 1) + b"\ny\n")
    assert [len(record.fields[0]) for record in records] == [RECORD_LIMIT - 1, 1]


def test_places_can_be_written_down() -> None:
    for place in (Place(), Place(7, 3), Place(2**40, 10**9, within=True)):
        assert Place.parse(str(place)) == place


fields = st.text(alphabet='a1ü😀 ,"\n\r', max_size=8)


@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]))
def test_what_the_csv_module_writes_is_read_with_the_lines_it_begins_at(
    rows: list[tuple[str, str]], line_end: str
) -> None:
    text, expected = io.StringIO(newline=""), []
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    for row in rows:
        expected.append((text.getvalue().count("\n") + 1, row))
        writer.writerow(row)
    assert [(record.line, record.fields) for record in read(text.getvalue().encode())] == expected


@given(
    st.lists(
        st.sampled_from([b"a,1\n", b'"q\nq",2\r\n', b"\n", b'"stray\n', b"\xff\n", b"x" * 70_000 + b"\n", b'"x"y\n']),
        max_size=12,
    ),
    st.integers(min_value=RECORD_LIMIT + 1, max_value=3 * RECORD_LIMIT),
)
def test_pieces_give_what_the_whole_file_gives(parts: list[bytes], piece: int) -> None:
    data = b"".join(parts)
    whole = list(CsvReader(Place()).read(data, complete=True))
    assert read(data, piece=piece) == whole


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    for record in read(data):
        assert bool(record.problem) != bool(record.fields)


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a", "\r\n\x1a\r\n", "\n\x1a\x1a\x1a", "\x1a\n"])
@pytest.mark.parametrize("piece", [6, 4 * RECORD_LIMIT])
def test_an_end_of_file_mark_behind_the_last_line_is_no_record(end: str, piece: int) -> None:
    assert [record.fields for record in read(f"a\nb{end}".encode(), piece=piece)] == [("a",), ("b",)]


@pytest.mark.parametrize("piece", [RECORD_LIMIT + 1, 4 * RECORD_LIMIT])
def test_an_end_of_file_mark_behind_a_line_that_is_too_long_ends_the_file(piece: int) -> None:
    (record,) = read(b"x" * 3 * RECORD_LIMIT + b"\x1a", piece=piece)
    assert record.problem == "longer than 65,536 bytes"


def test_only_the_last_byte_is_an_end_of_file_mark() -> None:
    assert [record.fields for record in read(b"a\x1a\nb\x1a\x1a")] == [("a\x1a",), ("b\x1a",)]
