"""Which attributes profiles have, by path: what somebody who maps may choose from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.domain.configuration.paths import RESERVED_MEMBERS, format_path
from shared.domain.jsonvalue import JsonObject, JsonValue
from shared.domain.profile.attributes import Path

_KINDS = {str: "text", bool: "true or false", int: "number", float: "number", list: "list", dict: "object"}


@dataclass(frozen=True, slots=True)
class SeenPath:
    """`profiles`: how many of those looked at have a value there; `kinds`: of which types, the most frequent first."""

    path: str
    profiles: int
    kinds: Sequence[str]


def seen_paths(attributes: Iterable[JsonObject]) -> list[SeenPath]:
    """Of the attributes of some profiles: the paths that hold a value and no object, those that most have first."""
    kinds: dict[str, Counter[str]] = {}
    for each in attributes:
        for path, value in _leaves(each, ()):
            kinds.setdefault(format_path(path), Counter())[_KINDS[type(value)]] += 1
    seen = [SeenPath(path, found.total(), [kind for kind, _ in found.most_common()]) for path, found in kinds.items()]
    return sorted(seen, key=lambda each: (-each.profiles, each.path))


def _leaves(value: JsonValue, path: Path) -> Iterator[tuple[Path, JsonValue]]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key and below is not None and (path or key not in RESERVED_MEMBERS):
                yield from _leaves(below, (*path, key))
    elif path:
        yield path, value
