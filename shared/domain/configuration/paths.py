"""Attribute paths: how a mapped attribute is named, matched and cut out of a profile."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.domain.jsonvalue import MAX_DEPTH, JsonValue
from shared.domain.profile.attributes import Mask, Path

T = TypeVar("T")

RESERVED_MEMBERS = frozenset({"segmentMembership", "identityMap"})
EXPORT_METADATA = "_export"
"""A member of the exports of who asks for it."""
MAX_KEYS = MAX_DEPTH - 1
"""Of a path: a change's own object and its `attributes` are two of the levels, and the last key's value needs none."""


def parse_path(text: str) -> Path:
    """The keys that `text` names: a JSON Pointer (RFC 6901, `/person/name`) or, without a leading slash, dotted.

    A key may be made of digits: whether a profile has an object or an array there is known only from its data, and an
    array is exported whole or not at all. Raises ValueError for an empty path, a dotted one with an index in brackets,
    and one that would overwrite a member of the export that is not an attribute.
    """
    if text.startswith("/"):
        keys = tuple(key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/"))
    else:
        keys = tuple(text.split("."))
        for depth, key in enumerate(keys):
            if key.endswith("]"):
                name, bracket, _ = key.partition("[")
                array = format_path((*keys[:depth], *filter(None, [name if bracket else ""])))
                instead = f"so map {array}" if array else "so name the array first"
                raise ValueError(f"expected a path that ends at the array: arrays are mapped whole, {instead}")
    if not all(keys):
        raise ValueError("expected a path without empty keys, such as /person/name/firstName")
    if keys[0] in RESERVED_MEMBERS:
        raise ValueError(f"expected an attribute: {keys[0]} is a member of every export already")
    return keys


def format_path(path: Path) -> str:
    """`path` as a JSON Pointer."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


@dataclass(slots=True)
class PathIndex(Generic[T]):
    """Finds who is interested in a path, at a cost that depends on the path alone and on who is found."""

    children: dict[str, "PathIndex[T]"] = field(default_factory=dict)
    here: list[T] = field(default_factory=list)
    below: list[T] = field(default_factory=list)

    def add(self, path: Path, item: T) -> None:
        node = self
        for key in path:
            if item not in node.below:
                node.below.append(item)
            node = node.children.setdefault(key, PathIndex())
        if item not in node.here:
            node.here.append(item)

    def matching(self, path: Path) -> list[T]:
        """The items added at `path`, above it or below it (perhaps several times)."""
        found = list(self.here)
        node = self
        for key in path:
            child = node.children.get(key)
            if child is None:
                return found
            node = child
            found += node.here
        return found + node.below

    def touched_by(self, written: JsonValue) -> Iterator[T]:
        """The items added where the merge patch `written` can alter a value; whatever is no object alters all below."""
        yield from self.here
        if not isinstance(written, dict):
            yield from self.below
        elif self.children:
            for key, value in written.items():
                if child := self.children.get(key):
                    yield from child.touched_by(value)


def mask_of(paths: Iterable[Path]) -> Mask:
    """The mapped `paths` as one tree, so that overlapping paths merge: a path swallows those below it."""
    mask: Mask = {}
    for path in sorted(paths, key=len):
        node = mask
        for key in path[:-1]:
            below = node.setdefault(key, {})
            if below is None:
                break
            node = below
        else:
            node.setdefault(path[-1], None)
    return mask
