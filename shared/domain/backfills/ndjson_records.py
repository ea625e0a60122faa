"""Reads the lines of an NDJSON file (UTF-8, an object a line) piece by piece, with the places that CSV records have."""

from collections.abc import Iterator
from dataclasses import replace

from shared.domain.backfills.csv_records import (
    BYTE_ORDER_MARK,
    RECORD_LIMIT,
    CsvRecord,
    Place,
    why_no_text,
    without_end_mark,
)
from shared.domain.jsonvalue import InvalidJsonError, decode_utf8, parse_json

_TOO_LONG = f"longer than {RECORD_LIMIT:,} bytes"


class NdjsonReader:
    """`place` is where the next line begins; whoever sets it back reads again from there. `columns` are the members
    that an object may have: the first must be there, and all that are there must be strings.
    """

    def __init__(self, place: Place, columns: tuple[str, ...]) -> None:
        self.place = place
        self._columns = columns

    def read(self, data: bytes, *, complete: bool) -> Iterator[CsvRecord]:
        """The whole lines in `data`, which begins at `place`; `complete` if it ends where the file does.

        Data of more than RECORD_LIMIT bytes always brings the place further. Empty lines are no records.
        """
        start, at = self.place.offset, 0
        if complete and (end := len(without_end_mark(data))) < len(data):
            yield from self.read(data[:end], complete=True)
            self.place = replace(self.place, offset=start + len(data))
            return
        if start == 0 and data.startswith(BYTE_ORDER_MARK):
            at = len(BYTE_ORDER_MARK)
            self.place = replace(self.place, offset=at)
        while at < len(data):
            end, place = data.find(b"\n", at) + 1, self.place
            if not end and not complete:
                if place.within or len(data) - at > RECORD_LIMIT:
                    self.place = replace(place, offset=start + len(data), within=True)
                    if not place.within:
                        yield CsvRecord(place.line, problem=why_no_text(data[at:]) or _TOO_LONG)
                return
            line, at = data[at : end or len(data)], end or len(data)
            self.place = Place(start + at, place.line + 1)
            if not place.within and line.strip():
                yield self._record(place.line, line)

    def _record(self, number: int, line: bytes) -> CsvRecord:
        if len(line) > RECORD_LIMIT:
            return CsvRecord(number, problem=why_no_text(line) or _TOO_LONG)
        try:
            value = parse_json(decode_utf8(line))
        except InvalidJsonError as error:
            return CsvRecord(number, problem=why_no_text(line) or str(error))
        names = " and, if wanted, ".join(self._columns)
        if not isinstance(value, dict):
            return CsvRecord(number, problem=f"expected an object with {names}")
        if self._columns[0] not in value or value.keys() - set(self._columns):
            return CsvRecord(number, problem=f"expected {names}, and no other member")
        fields = tuple("" if value.get(name) is None else value[name] for name in self._columns)
        if not all(isinstance(field, str) and _is_text(field) for field in fields):
            return CsvRecord(number, problem=f"expected text as {names}")
        return CsvRecord(number, fields)


def _is_text(field: str) -> bool:
    """Whether it can be encoded: half of a surrogate pair cannot."""
    try:
        field.encode()
    except UnicodeEncodeError:
        return False
    return True
