"""Reads the records of a CSV file (RFC 4180, UTF-8) piece by piece, each with its place, so that reading can go on
from there.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

RECORD_LIMIT = 65_536
"""Bytes that a record may have."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
# As some old programs write behind the last line, or as one of its own, which some others end as they end all lines.
_END_OF_FILE = re.compile(rb"(?:(?<![^\n])\x1a+|\x1a)[\r\n]*\Z")
_CARRIAGE_RETURN_ALONE = re.compile(rb"\r(?!\n)")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # as surrogateescape stands in for such bytes

_TOO_LONG = f"longer than {RECORD_LIMIT:,} bytes"
_UNCLOSED = "a quote that is not closed"
_LINE_ENDS = "a line end of a carriage return alone: save the file with LF or CRLF line ends"
_UTF16 = "UTF-16 text: save the file as UTF-8"
_MALFORMED = "not as RFC 4180 has it: quotes enclose a whole field, and are doubled within one"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record begins: the byte, from 0, and the number of its line, from 1.

    `within`: the rest of a line that is too long comes first. As a cursor: `<offset>:<line>`, and `+` if within.
    """

    offset: int = 0
    line: int = 1
    within: bool = False

    def __str__(self) -> str:
        return f"{self.offset}:{self.line}{'+' if self.within else ''}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        offset, _, line = text.removesuffix("+").partition(":")
        return cls(int(offset), int(line), text.endswith("+"))


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """`line` is the number of its first line; `fields` are empty where it has a `problem`, which holds no value."""

    line: int
    fields: tuple[str, ...] = ()
    problem: str = ""


class CsvReader:
    """`place` is where the next record begins; whoever sets it back reads again from there."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def read(self, data: bytes, *, complete: bool) -> Iterator[CsvRecord]:
        """The whole records in `data`, which begins at `place`; `complete` if it ends where the file does.

        Data of more than RECORD_LIMIT bytes always brings the place further. Empty lines are no records. After a record
        that is malformed or too long the next line begins a new one, so that a stray quote costs a line, not the file.
        """
        start, at = self.place.offset, 0
        end = start + len(data)
        if complete:
            data = without_end_mark(data)
        if start == 0 and data.startswith(BYTE_ORDER_MARK):
            at = len(BYTE_ORDER_MARK)
            self.place = replace(self.place, offset=at)
        if self.place.within:
            at = data.find(b"\n") + 1
            if not at:
                self.place = replace(self.place, offset=end)
                return
            self.place = Place(start + at, self.place.line + 1)
        while (at := self._behind_empty_lines(data, start, at)) < len(data):
            lines = _Lines(data, at, complete)
            line = self.place.line
            try:
                fields = tuple(next(csv.reader(lines, strict=True)))
            except _MoreNeededError:
                return
            except (_TooLongError, csv.Error) as error:
                problem = _why_unreadable(error, lines, data[at : at + RECORD_LIMIT])
                at = self._leave_line(data, start, at, complete)
                yield CsvRecord(line, problem=problem)
                continue
            raw, at = data[at : lines.end], lines.end
            self.place = Place(start + at, line + lines.count)
            if fields:
                problem = _problem(raw, fields)
                yield CsvRecord(line, () if problem else fields, problem)
        if start + len(data) < end:
            self.place = replace(self.place, offset=end)

    def _behind_empty_lines(self, data: bytes, start: int, at: int) -> int:
        """All at once: there may be so many that one by one they would keep a worker from everything else."""
        if empty := _EMPTY_LINES.match(data, at):
            at = empty.end()
            self.place = Place(start + at, self.place.line + empty[0].count(b"\n"))
        return at

    def _leave_line(self, data: bytes, start: int, at: int, complete: bool) -> int:
        """Set the place behind the line that begins `at` in `data`, or as far behind as there is of it."""
        end = data.find(b"\n", at) + 1
        if end or complete:
            self.place = Place(start + (end or len(data)), self.place.line + 1)
        else:
            self.place = Place(start + len(data), self.place.line, within=True)
        return end or len(data)


def without_end_mark(data: bytes) -> bytes:
    """The end of a file without the mark of its end."""
    mark = _END_OF_FILE.search(data)
    return data[: mark.start()] if mark else data


def why_no_text(raw: bytes) -> str:
    """What a file seems to be instead of lines in UTF-8, by one that cannot be read; empty where it is just that."""
    if _is_utf16(raw):
        return _UTF16
    return _LINE_ENDS if _CARRIAGE_RETURN_ALONE.search(raw.partition(b"\n")[0]) else ""


def _why_unreadable(error: Exception, lines: "_Lines", raw: bytes) -> str:
    why, before = why_no_text(raw), raw.partition(b"\r")[0]
    if why == _UTF16 or (why and lines.count <= 1 and before.count(b'"') % 2 == 0):
        return why
    if isinstance(error, _TooLongError):
        return _UNCLOSED if lines.count else _TOO_LONG
    return _UNCLOSED if lines.ran_out else _MALFORMED


def _is_utf16(raw: bytes) -> bool:
    """By its mark, or by the zeros in every other byte of plain letters."""
    return raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw[:8].count(0) >= 3


def _problem(raw: bytes, fields: tuple[str, ...]) -> str:
    if _is_utf16(raw):
        return _UTF16
    if any(_NOT_UTF8.search(field) for field in fields):
        return "not UTF-8"
    if b"\0" in raw:
        return "a NUL character"
    # The csv module takes a quote within a field without quotes as it is. It may well be the end of a field that began
    # on a line before, which was malformed.
    return _MALFORMED if raw.count(b'"') % 2 else ""


class _MoreNeededError(Exception):
    """The record does not end within the data."""


class _TooLongError(Exception):
    """The record does not end within its limit."""


class _Lines:
    """The lines of one record, as the csv module asks for them.

    `end` and `count` are of those it has had, `ran_out` if it asked for more at the end of the file.
    """

    def __init__(self, data: bytes, start: int, complete: bool) -> None:
        self.end = start
        self.count = 0
        self.ran_out = False
        self._data = data
        self._start = start
        self._complete = complete

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self._data.find(b"\n", self.end, self._start + RECORD_LIMIT) + 1
        if not end:
            if len(self._data) - self._start > RECORD_LIMIT:
                raise _TooLongError
            if not self._complete:
                raise _MoreNeededError
            if self.end == len(self._data):
                self.ran_out = True
                raise StopIteration
            end = len(self._data)
        line = self._data[self.end : end].decode(errors="surrogateescape")
        self.end = end
        self.count += 1
        return line
