"""Which field of a form a problem belongs to."""

import re
from collections.abc import Iterable, Mapping

_PLACE = re.compile(r"/(?P<pointer>[^:\s]*): (?P<what>.*)", re.DOTALL)

Problems = dict[str, list[str]]
"""Field -> what is wrong with it; "" for what belongs to no field."""


def by_field(lines: Iterable[str], fields: Mapping[str, str]) -> Problems:
    """Problems as the API says them, `/path/to/member: expected …`, each to the field that its member is written in.

    `fields`: the beginning of a pointer, without the slash -> field; the longest that fits counts.
    """
    found: Problems = {}
    for line in lines:
        place = _PLACE.fullmatch(line)
        pointer = place["pointer"] if place else ""
        fitting = [each for each in fields if pointer == each or pointer.startswith(f"{each}/")]
        field = fields[max(fitting, key=len)] if fitting else ""
        what = place["what"] if place and field else line
        number = re.search(r"/(\d+)(?:/|$)", pointer)
        if field and number:
            what = f"line {int(number[1]) + 1}: {what}"
        found.setdefault(field, []).append(what)
    return found
