"""The lines of the mapping form that say from when until when audiences count as mapped."""

from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote

from pydantic import ValidationError

from shared.domain.configuration.model import MappedAudience
from shared.domain.instants import MILLISECOND, format_instant
from shared.domain.problems import describe_problems

_NONE = "-"


def schedule_lines(audiences: Iterable[MappedAudience]) -> str:
    """A line for each that has a schedule: from, until, audience; `-` where there is no such time."""
    return "\n".join(
        f"{_shown(each.active_from)} {_shown(each.active_until)} {_place(each)}" for each in audiences if each.scheduled
    )


def with_schedules(audiences: Sequence[MappedAudience], lines: Iterable[str]) -> tuple[list[MappedAudience], list[str]]:
    """`audiences` with the schedules of `lines` and no others, and what is wrong with lines."""
    found = {_place(each): each.model_copy(update={"active_from": None, "active_until": None}) for each in audiences}
    problems, seen = [], set()
    for number, line in enumerate(lines, 1):
        place, times, problem = _parsed(line)
        if not problem and place not in found:
            problem = f"expected an audience that is mapped, got {place}"
        elif not problem and place in seen:
            problem = f"expected each audience once, got {place} again"
        if not problem:
            seen.add(place)
            try:
                found[place] = MappedAudience.model_validate(found[place].model_dump(by_alias=True) | times)
            except ValidationError as error:
                problem = "; ".join(describe_problems(error))
        if problem:
            problems.append(f"line {number}: {problem}")
    return list(found.values()), problems


def _parsed(line: str) -> tuple[str, dict[str, str | None], str]:
    """The audience, its times, and what is wrong with the line."""
    words = line.split()
    if len(words) != 3:
        return "", {}, "expected from, until and an audience, such as 2026-12-01T00:00:00Z - ups/loyal"
    first, last, place = words
    namespace, slash, audience_id = place.partition("/")
    key = (unquote(namespace), unquote(audience_id)) if slash else ("ups", unquote(place))
    return _quoted(*key), {"activeFrom": _time(first), "activeUntil": _time(last)}, ""


def _time(word: str) -> str | None:
    return None if word == _NONE else word


def _shown(time_ms: int | None) -> str:
    return _NONE if time_ms is None else format_instant(time_ms * MILLISECOND)


def _place(audience: MappedAudience) -> str:
    return _quoted(*audience.key)


def _quoted(namespace: str, audience_id: str) -> str:
    return f"{quote(namespace, safe='')}/{quote(audience_id, safe='')}"
