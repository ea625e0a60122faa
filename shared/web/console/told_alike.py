"""An explanation of a profile for the page: destinations that heard, or would hear, the same are said once."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.views.explained import Foreseen, Past

T = TypeVar("T")


def past_alike(past: Iterable[Past], apart: Iterable[str]) -> list[list[Past]]:
    """In the order in which the first of each comes. One for which something waits stands by itself, and so do those
    whose ids are in `apart`.
    """
    alone = set(apart)

    def what(each: Past) -> object:
        if each.undelivered is not None or each.destination.id in alone:
            return each.destination.id
        return tuple(repr(one.model_dump(exclude={"destination_id"})) for one in each.told)

    return _alike(past, what)


def foreseen_alike(foreseen: Iterable[Foreseen]) -> list[list[Foreseen]]:
    """The same of what would be told: alike but for the exports' bodies, in which each has what it maps."""
    said = {"outcome", "why", "held_back", "realized_in", "left", "unmapped", "left_out", "identities_left_out"}

    def what(each: Foreseen) -> object:
        reasons = each.verdict.export["reasons"] if each.verdict.export else []
        return repr((reasons, sorted(each.verdict.model_dump(include=said).items())))

    return _alike(foreseen, what)


def _alike(these: Iterable[T], what: Callable[[T], object]) -> list[list[T]]:
    groups: dict[object, list[T]] = {}
    for each in these:
        groups.setdefault(what(each), []).append(each)
    return list(groups.values())
