"""From a seed that fails to the few parts of its plan that it takes for that."""

from collections.abc import Callable, Sequence

_MOST_ATTEMPTS = 400


def shrunk(names: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> list[str]:
    """Those of `names` that are left when as many are taken away as can be while it still `fails`.

    Half of them at a time, then a quarter, and so on; what is left is not the least there is, but none of it can go by
    itself. Without a part all that is drawn later differs, so some could go that are kept.
    """
    kept, size, attempts = list(names), max(1, len(names) // 2), 0
    while attempts < _MOST_ATTEMPTS:
        start = went = 0
        while start < len(kept) and attempts < _MOST_ATTEMPTS:
            without = kept[:start] + kept[start + size :]
            attempts += 1
            if fails(without):
                kept, went = without, went + 1
            else:
                start += size
        if size == 1 and not went:
            break
        size = max(1, size // 2)
    return kept


def shrunk_seed(
    seed: int, names: Sequence[str], failures_of: Callable[[int, Sequence[str]], Sequence[str]]
) -> list[str]:
    """The same for a seed, where `failures_of` says what fails of it: something of the same kind must."""
    kinds = set(map(_kind, failures_of(seed, names)))
    return shrunk(names, lambda kept: not kinds.isdisjoint(map(_kind, failures_of(seed, kept))))


def _kind(failure: str) -> str:
    return failure.partition(":")[0]
