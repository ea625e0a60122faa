"""An upload of an audience's members: what was asked for, what a line of its file means, and how far it is."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from shared.domain.backfills.csv_records import (
    BYTE_ORDER_MARK,
    RECORD_LIMIT,
    CsvReader,
    CsvRecord,
    Place,
    without_end_mark,
)
from shared.domain.backfills.ndjson_records import NdjsonReader
from shared.domain.instants import format_instant, parse_instant
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH
from shared.domain.profile.memberships import AudienceKey, Membership
from shared.errors import UploadRefusedError

PROFILE_ID, VALID_UNTIL = "profileId", "validUntil"
COLUMNS = (PROFILE_ID, VALID_UNTIL)
BAD_LINES_KEPT = 100
UploadFormat: TypeAlias = Literal["csv", "ndjson"]


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """What was asked for. Times are microseconds; `time`, `size` (bytes) and `etag` of the file come with the commit.

    `time` is that of all its changes: whoever is listed is realized then, whoever must go exited a microsecond before.
    `writable_until`: until then somebody may have an address that lets them write the file. `cleared`: it was deleted
    after that for good. `format`: of the file. `refresh`: there is no file; members stay for longer, until
    `valid_until` if that is not empty, else for the usual time.
    """

    replace: bool
    force: bool
    writable_until: int
    time: int = 0
    size: int = 0
    etag: str = ""
    cleared: bool = False
    format: UploadFormat = "csv"
    refresh: bool = False
    valid_until: str = ""

    def stored(self) -> dict[str, Any]:
        """As it is kept: what is as usual is left out, so that releases that do not know of it read the rest."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}

    def reader(self, header: "UploadHeader", place: Place | None) -> "CsvReader | NdjsonReader":
        """From `place` on, or from behind the header."""
        place = place or header.end
        return CsvReader(place) if self.format == "csv" else NdjsonReader(place, header.columns)

    def exits_called_for(self, tally: "UploadTally") -> bool:
        """Whether those leave who are not listed, once all lines are read."""
        return self.replace and (self.force or not tally.bad)


@dataclass(frozen=True, slots=True)
class BadLine:
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class UploadTally:
    """What has become of the lines read so far; empty ones and the header are none.

    `last_key` is of the profile that was accepted last.
    """

    accepted: int = 0
    bad: int = 0
    exits: int = 0
    bad_lines: tuple[BadLine, ...] = field(default=())
    last_key: str = ""

    @property
    def lines(self) -> int:
        return self.accepted + self.bad

    def with_bad(self, line: int, reason: str) -> "UploadTally":
        kept = self.bad_lines
        if len(kept) < BAD_LINES_KEPT:
            kept = (*kept, BadLine(line, reason))
        return replace(self, bad=self.bad + 1, bad_lines=kept)

    def to_text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> "UploadTally":
        if not text:
            return cls()
        document = json.loads(text)
        bad_lines = tuple(BadLine(**each) for each in document.pop("bad_lines"))
        return cls(**document, bad_lines=bad_lines)


@dataclass(frozen=True, slots=True)
class UploadHeader:
    """The columns of a file, and where what follows them begins."""

    columns: tuple[str, ...]
    end: Place

    @classmethod
    def read(cls, beginning: bytes, *, complete: bool, file_format: UploadFormat = "csv") -> "UploadHeader":
        """From the beginning of a file: more than RECORD_LIMIT bytes, or `complete`. Raises UploadRefusedError.

        NDJSON has none, and an empty file is none: so nobody empties an audience with it by accident.
        """
        if file_format == "ndjson":
            if complete and not without_end_mark(beginning.removeprefix(BYTE_ORDER_MARK)).strip():
                raise UploadRefusedError("the file is empty: expected a line for each member")
            return cls(COLUMNS, Place())
        reader = CsvReader(Place())
        first = next(reader.read(beginning, complete=complete), None)
        if first is None:
            raise UploadRefusedError(f"the file is empty: {_EXPECTED_HEADER}")
        if first.problem:
            raise UploadRefusedError(f"line {first.line}: {first.problem}: {_EXPECTED_HEADER}")
        columns = tuple(name.strip() for name in first.fields)
        for number, name in enumerate(columns, start=1):
            if name not in COLUMNS:
                # Without a header this is somebody's profile id, which must not be repeated.
                raise UploadRefusedError(f"line {first.line}: column {number} has another name: {_EXPECTED_HEADER}")
            if name in columns[: number - 1]:
                raise UploadRefusedError(f"line {first.line}: the column {name} is there twice: {_EXPECTED_HEADER}")
        if PROFILE_ID not in columns:
            raise UploadRefusedError(f"line {first.line}: the column {PROFILE_ID} is missing: {_EXPECTED_HEADER}")
        return cls(columns, reader.place)


_EXPECTED_HEADER = (
    f"expected a header of {PROFILE_ID} and, if wanted, {VALID_UNTIL}, separated by a comma, within the first "
    f"{RECORD_LIMIT:,} bytes"
)


@dataclass(frozen=True, slots=True)
class UploadLine:
    """A line that can be taken; `valid_until` is as it was written."""

    profile_id: str
    valid_until: str | None

    @classmethod
    def of(cls, record: CsvRecord, columns: Sequence[str]) -> "UploadLine":
        """Raises ValueError, whose text holds no value."""
        if record.problem:
            raise ValueError(record.problem)
        if len(record.fields) != len(columns):
            raise ValueError(f"expected {len(columns)} fields as in the header, got {len(record.fields)}")
        values = dict(zip(columns, record.fields, strict=True))
        profile_id, valid_until = values[PROFILE_ID], values.get(VALID_UNTIL, "").strip() or None
        if not profile_id.strip():
            raise ValueError(f"{PROFILE_ID}: it is empty")
        if len(profile_id) > MAX_PROFILE_ID_LENGTH:
            raise ValueError(f"{PROFILE_ID}: expected at most {MAX_PROFILE_ID_LENGTH:,} characters")
        if valid_until is not None:
            try:
                parse_instant(valid_until)
            except ValueError as error:
                raise ValueError(f"{VALID_UNTIL}: {error}") from None
        return cls(profile_id, valid_until)

    def change(self, audience: AudienceKey, time: int) -> str:
        """The profile change that it stands for, as JSON: of a membership that is over already, its end."""
        if self.valid_until is None:
            return _change(self.profile_id, audience, time, "realized", {})
        status = "realized" if parse_instant(self.valid_until) > time else "exited"
        return _change(self.profile_id, audience, time, status, {"validUntil": self.valid_until})


def exit_of(profile_id: str, audience: AudienceKey, time: int) -> str:
    """The change, as JSON, by which a profile leaves an audience that an upload of this time replaces.

    It is a microsecond older than the upload's lines, so that these win in any order.
    """
    return _change(profile_id, audience, time - 1, "exited", {})


def refresh_of(profile_id: str, audience: AudienceKey, membership: Membership, order: UploadOrder) -> str:
    """The change, as JSON, by which a membership lasts for longer.

    It is a microsecond younger than the write that it refreshes, so that any later one wins, whenever it arrives.
    """
    qualified = format_instant(order.time)
    return _change(
        profile_id,
        audience,
        membership.time + 1,
        "realized",
        {"lastQualificationTime": qualified, **({"validUntil": order.valid_until} if order.valid_until else {})},
    )


def refreshed(membership: Membership, order: UploadOrder) -> bool:
    """Whether the refresh has reached it already."""
    return membership.last_qualification_time == format_instant(order.time)


def _change(profile_id: str, audience: AudienceKey, time: int, status: str, more: dict[str, Any]) -> str:
    namespace, audience_id = audience
    when = format_instant(time)
    entry = {"status": status, "lastQualificationTime": when, **more}
    change = {"profileId": profile_id, "occurredAt": when, "segmentMembership": {namespace: {audience_id: entry}}}
    return json.dumps(change, separators=(",", ":"))
