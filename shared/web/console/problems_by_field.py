"""What is wrong with a form: said beside its fields, all at once, and in a summary that leads to them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import NamedTuple

from pydantic import ValidationError

from shared.domain.problems import problems_in
from shared.errors import PreconditionFailedError

_PLACE = re.compile(r"/(?P<pointer>[^:\s]*): (?P<what>.*)", re.DOTALL)
_EMPTY = "fill this in"
_PLAIN = {
    "missing": _EMPTY,
    "string_too_short": _EMPTY,
    "too_short": "choose or name at least one",
    "union_tag_invalid": "choose one",
    "union_tag_not_found": "choose one",
    "literal_error": "choose one of what is offered",
    "enum": "choose one of what is offered",
}
"""By the kind of the problem, where people need other words than programs."""
_SHOWN = 5


class Entry(NamedTuple):
    """Of the summary: a problem of the field whose element has the id `field`."""

    field: str
    label: str
    what: str


class Problems(dict[str, list[str]]):
    """Field -> what is wrong with it; "" for what belongs to no field. `status` is the answer's.

    A page that shows a field says so by `show`, so that the summary names it as the page does, in the page's order;
    what belongs to a field that the page does not have is said in the summary alone.
    """

    def __init__(self, found: Mapping[str, list[str]] | None = None, *, status: int = 422) -> None:
        super().__init__(found or {})
        self.status = status
        self._labels: dict[str, str] = {}

    def add(self, field: str, *what: str) -> None:
        self.setdefault(field, []).extend(what)

    def merge(self, others: Mapping[str, list[str]]) -> None:
        for field, what in others.items():
            self.add(field, *what)

    def show(self, field: str, label: str) -> str:
        """What is said beside the field, empty if it is right."""
        self._labels[field] = label
        what = self.get(field, [])
        more = [f"and {len(what) - _SHOWN:,} more"] if len(what) > _SHOWN else []
        return "; ".join([*what[:_SHOWN], *more])

    @property
    def of_the_moment(self) -> bool:
        """Whether nothing is wrong with what was typed, but for somebody who was faster."""
        return self.status == HTTPStatus.PRECONDITION_FAILED and self.keys() <= {""}

    @property
    def entries(self) -> list[Entry]:
        """A line for each field of the page that is wrong, once the page has shown its fields."""
        return [Entry(field, label, self.show(field, label)) for field, label in self._labels.items() if field in self]

    @property
    def of_no_field(self) -> list[str]:
        return [line for field, lines in self.items() if field not in self._labels for line in lines]


def problems_of(error: Exception, fields: Mapping[str, str], plain: Mapping[str, str] | None = None) -> Problems:
    """What `error` says, each line to the field that its member is written in; an error that names no member belongs to
    no field.

    `fields`: the beginning of a pointer, without the slash -> field; the longest that fits counts. `plain`: field ->
    what to type there, in the words for whoever typed what does not look like it.
    """
    problems = Problems()
    if isinstance(error, PreconditionFailedError):
        problems.status = HTTPStatus.PRECONDITION_FAILED
        problems.add("", "somebody else changed it since you opened the page; what you typed is here still")
        return problems
    for pointer, what, kind in _told(error):
        field = _field_of(pointer, fields)
        if field:
            what = (plain or {}).get(field, what) if kind == "string_pattern_mismatch" else _PLAIN.get(kind, what)
            number = re.search(r"/(\d+)(?:/|$)", pointer)
            problems.add(field, f"line {int(number[1]) + 1}: {what}" if number else what)
        else:
            problems.add("", f"/{pointer}: {what}" if pointer else what)
    return problems


def _told(error: Exception) -> Iterator[tuple[str, str, str]]:
    """Pointer without its slash, what was expected there, and the kind; each empty where there is none."""
    if isinstance(error, ValidationError):
        for problem in problems_in(error):
            yield problem.pointer.removeprefix("/"), problem.expectation, problem.kind
        return
    for line in str(error).splitlines():
        place = _PLACE.fullmatch(line)
        yield (place["pointer"], place["what"], "") if place else ("", line, "")


def _field_of(pointer: str, fields: Mapping[str, str]) -> str:
    fitting: Iterable[str] = [each for each in fields if pointer == each or pointer.startswith(f"{each}/")]
    return fields[max(fitting, key=len)] if fitting else ""
