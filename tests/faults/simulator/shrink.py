"""From a seed that fails to the few parts of its plan that it takes for that."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.faults.simulator.recipe import Recipe

MOST_ATTEMPTS = 600
_LUCKS = 4

FailuresOf = Callable[[Recipe], Sequence[str]]


def shrunk(recipe: Recipe, failures_of: FailuresOf, most_attempts: int = MOST_ATTEMPTS) -> Recipe:
    """`recipe` with as few of its parts as still make something of the same kind fail, with whatever luck.

    Half of the parts are left out at a time, then a quarter, and so on. None of what is left can go by itself, unless
    `most_attempts` end it before that is known.
    """
    return _Shrinking(recipe, failures_of, most_attempts).result()


class _Shrinking:
    def __init__(self, recipe: Recipe, failures_of: FailuresOf, most_attempts: int) -> None:
        self._recipe = recipe
        self._failures_of = failures_of
        self._kinds = set(map(_kind, failures_of(recipe)))
        self._left = most_attempts

    def result(self) -> Recipe:
        size = max(1, len(self._kept) // 2)
        while self._left > 0:
            before, start = len(self._kept), 0
            while start < len(self._kept):
                if not self._fails_without(start, size):
                    start += size
            if size == 1 and len(self._kept) == before:
                break
            size = max(1, size // 2)
        return self._recipe

    @property
    def _kept(self) -> tuple[str, ...]:
        return self._recipe.only or ()

    def _fails_without(self, start: int, size: int) -> bool:
        """Whether these parts can go; then they are gone."""
        left = self._kept[:start] + self._kept[start + size :]
        lucks = dict.fromkeys((self._recipe.luck, *range(_LUCKS)))
        for luck in lucks:
            if self._left <= 0:
                return False
            self._left -= 1
            tried = replace(self._recipe, only=left, luck=luck)
            if not self._kinds.isdisjoint(map(_kind, self._failures_of(tried))):
                self._recipe = tried
                return True
        return False


def _kind(failure: str) -> str:
    return failure.partition(":")[0]
