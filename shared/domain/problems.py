"""What is wrong with a document: where, and what was expected there, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared.domain.instants import EXPECTED_INSTANT

_EXPECTED = {
    "bool_type": "expected true or false",
    "dict_type": "expected an object",
    "int_from_float": "expected a whole number",
    "int_type": "expected a whole number",
    "list_type": "expected an array",
    "missing": "expected this field, which is missing",
    "model_attributes_type": "expected an object",
    "model_type": "expected an object",
    "string_too_short": "expected a string that is not empty",
    "string_type": "expected a string",
    "union_tag_not_found": "expected an object with a type",
    "value_error": f"expected {EXPECTED_INSTANT}",
}
_OF_SEVERAL_TYPES = {
    "authentication": {"managed-identity", "sas"},
    "connection": {"app-setting", "connection-string", "managed-identity", "sas"},
    "scope": {"audience", "everything", "key-range", "profiles", "saved-since"},
}
_SHOWN_PROBLEMS = 5
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Problem:
    """`pointer` is that of the field, such as `/path/to/field`, empty for the document; `kind` is pydantic's."""

    pointer: str
    kind: str
    expectation: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.pointer, self.expectation)))


def problems_in(error: ValidationError) -> list[Problem]:
    """All problems, without any of the values."""
    found: list[Any] = list(error.errors(include_url=False, include_input=False))
    return [Problem(_pointer(each["loc"]), each["type"], _expectation(each)) for each in found]


def describe_problems(error: ValidationError) -> list[str]:
    """Each problem as `/path/to/field: expected …`, the first five, without any of the values."""
    return describe(error.errors(include_url=False, include_input=False))


def describe(problems: Sequence[Any]) -> list[str]:
    """The same for problems as pydantic lists them."""
    lines = [
        str(Problem(_pointer(problem["loc"]), problem["type"], _expectation(problem)))
        for problem in problems[:_SHOWN_PROBLEMS]
    ]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return lines


def _expectation(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "literal_error":
        return f"expected {context['expected']}"
    if kind in {"too_short", "too_long"}:
        bound = f"at least {context['min_length']:,}" if kind == "too_short" else f"at most {context['max_length']:,}"
        return f"expected {bound} of them"
    if kind == "string_too_long":
        return f"expected at most {context['max_length']:,} characters"
    if kind in {"greater_than_equal", "less_than_equal"}:
        return f"expected at least {context['ge']:,}" if "ge" in context else f"expected at most {context['le']:,}"
    if kind == "string_pattern_mismatch":
        return f"expected a name that matches {context['pattern']}"
    if kind == "union_tag_invalid":
        return f"expected its type to be one of {context['expected_tags']}"
    if kind == "extra_forbidden":
        return "expected no such field (is its name misspelt?)"
    if kind == "value_error":
        return str(context["error"])
    return _EXPECTED.get(kind) or f"expected otherwise: {problem['msg']}"


def _pointer(location: tuple[int | str, ...]) -> str:
    if location and location[-1] == "[key]":  # pydantic's mark for a key that is wrong itself
        location = location[:-1]
    # Behind an object of one of several types pydantic puts the type that it took it for.
    pairs = zip(location, ("", *location), strict=False)
    location = tuple(part for part, before in pairs if part not in _OF_SEVERAL_TYPES.get(str(before), ()))
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)
    return pointer if len(pointer) <= _SHOWN_CHARACTERS else f"{pointer[:_SHOWN_CHARACTERS]}…"
