"""A profile's attributes as registers that converge.

Merge patches (RFC 7396) arrive in any order, some of them twice. Keeping the last write of each leaf is not enough: a
late `{"a": "x"}` must still remove the `a.b` that was written before it. So each path keeps

- its *value register*: the greatest (time, canonical JSON) of a write of anything but an object there;
- its *object time*: the greatest time of a write of an object at or below it.

A register counts only if no value register above it is newer. A path is an object if its object time counts and is not
older than its value register; otherwise it has that register's value, and null means absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from shared.domain.jsonvalue import JsonObject, JsonValue, canonical_json, same_json

Path: TypeAlias = tuple[str, ...]
Mask: TypeAlias = "dict[str, Mask | None]"
"""The attributes to cut out of an object: for each key those below it, or None for all that is there."""

Document: TypeAlias = list[Any]
"""A node as JSON: [value time, value, object time, children, spent since], cut after the last that is set."""

_ABSENT: Any = object()
_NEVER = -(2**63)


class AttributeWrite(NamedTuple):
    """A write that was not stale.

    `changed`: the attribute now reads otherwise than before. `covered`: a newer object hides the value and nothing
    reads otherwise; the register is kept only for what arrives late.
    """

    path: Path
    changed: bool
    covered: bool = False


@dataclass(slots=True, eq=False)
class AttributeNode:
    """The registers of one path and of what is below it. Times are microseconds; `_NEVER` stands for no write.

    Most of what is read is never written, so `children` that nobody has touched yet are as they were read: documents.

    A value register that holds null, or that a newer object covers, has nothing to show: it is there for writes that
    arrive late, and `spent_since` (seconds) tells how long it has been waiting for them.
    """

    value_time: int = _NEVER
    value: JsonValue = None
    object_time: int = _NEVER
    children: "dict[str, AttributeNode | Document]" = field(default_factory=dict)
    spent_since: int | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttributeNode) and self.to_document() == other.to_document()

    __hash__ = None  # type: ignore[assignment]

    def merge(self, patch: JsonObject, time: int, now_seconds: int) -> list[AttributeWrite]:
        """Apply `patch`, written at `time`, to this object; each leaf of it that was not stale."""
        writes: list[AttributeWrite] = []
        self._merge_object(patch, time, (), _NEVER, now_seconds, writes)
        return writes

    def resolve(self) -> JsonObject:
        """All the attributes, as the merge patches written so far leave them."""
        resolved = self._resolve(_NEVER)
        return resolved if isinstance(resolved, dict) else {}

    @property
    def written(self) -> bool:
        """Whether any write is remembered here, also one that removed something."""
        return bool(self.children) or self.object_time != _NEVER or self.value_time != _NEVER

    def cut(self, mask: Mask) -> JsonObject:
        """The attributes of `mask` that there are; an object with none of them is left out."""
        return self._cut(mask, _NEVER)

    def value_at(self, path: Path) -> JsonValue:
        """The value at `path`; None where there is none."""
        node, floor = self, _NEVER
        for key in path:
            child = node._child(key) if node._is_object(floor) else None
            if child is None:
                return None
            floor = max(floor, node.value_time)
            node = child
        value = node._resolve(floor)
        return None if value is _ABSENT else value

    def _child(self, key: str) -> "AttributeNode | None":
        child = self.children.get(key)
        if type(child) is list:
            child = self.children[key] = AttributeNode.from_document(child)
        return child  # type: ignore[return-value]

    def _touched(self) -> "list[tuple[str, AttributeNode]]":
        """All children."""
        return [(key, child) for key in self.children if (child := self._child(key)) is not None]

    def _cut(self, mask: Mask, floor: int) -> JsonObject:
        if not self._is_object(floor):
            return {}
        below = max(floor, self.value_time)
        found: JsonObject = {}
        for key, wanted in mask.items():
            if wanted is None:
                there = self.children.get(key)
                if there is not None and (value := _resolved(there, below)) is not _ABSENT:
                    found[key] = value
            elif (child := self._child(key)) is not None and (part := child._cut(wanted, below)):
                found[key] = part
        return found

    def _is_object(self, floor: int) -> bool:
        return self.object_time != _NEVER and self.object_time >= floor and self.object_time >= self.value_time

    def _resolve(self, floor: int) -> Any:
        if self.object_time != _NEVER and self._is_object(floor):
            below = max(floor, self.value_time)
            return {
                key: value for key, child in self.children.items() if (value := _resolved(child, below)) is not _ABSENT
            }
        if self.value is None or self.value_time < floor:
            return _ABSENT
        return self.value

    def _merge_object(
        self, patch: JsonObject, time: int, path: Path, floor: int, now_seconds: int, writes: list[AttributeWrite]
    ) -> None:
        if time < max(floor, self.value_time):
            return  # what replaced this object is newer
        becomes_object = bool(path) and not self._is_object(floor)
        already_written = len(writes)
        if time > self.object_time:
            self.object_time = time
            if not patch:
                writes.append(AttributeWrite(path, becomes_object))
            if self.value_time != _NEVER and self.spent_since is None:
                self.value, self.spent_since = None, now_seconds
        below = max(floor, self.value_time)
        for key, value in patch.items():
            child = self._child(key)
            if child is None:
                child = self.children[key] = AttributeNode()
            if isinstance(value, dict):
                child._merge_object(value, time, (*path, key), below, now_seconds, writes)
            else:
                child._write_value(value, time, (*path, key), below, now_seconds, writes)
        if becomes_object:
            writes[already_written:] = [AttributeWrite(written.path, True) for written in writes[already_written:]]

    def _write_value(
        self, value: JsonValue, time: int, path: Path, floor: int, now_seconds: int, writes: list[AttributeWrite]
    ) -> None:
        if time < max(floor, self.value_time):
            return
        if time == self.value_time and (
            self.object_time >= time or canonical_json(value) <= canonical_json(self.value)
        ):
            return
        before = self._resolve(floor)
        self.value_time = time
        self._drop_hidden(time)
        if self.object_time >= time:
            self.value, self.spent_since = None, now_seconds
            changed = not same_json(before, self._resolve(floor))
            writes.append(AttributeWrite(path, changed, covered=not changed))
            return
        self.value, self.object_time = value, _NEVER
        self.spent_since = now_seconds if value is None else None
        after = _ABSENT if value is None else value
        writes.append(AttributeWrite(path, not same_json(before, after)))

    def _drop_hidden(self, floor: int) -> None:
        """Forget what a value register at `floor` above hides: it can never count again."""
        for key, child in self._touched():
            if child.value_time < floor:
                child.value_time, child.value, child.spent_since = _NEVER, None, None
            if child.object_time < floor:
                child.object_time = _NEVER
                child.children.clear()
            if child.value_time == child.object_time == _NEVER:
                del self.children[key]
            else:
                child._drop_hidden(floor)

    def drop_spent(self, before_seconds: int) -> None:
        """Forget registers with nothing to show since before then (docs/rules.md, "What is forgotten by itself")."""
        emptied = []
        for key in self.children:
            if not _has_spent(self.children[key], before_seconds) or (child := self._child(key)) is None:
                continue
            if child.spent_since is not None and child.spent_since < before_seconds:
                child.value_time, child.value, child.spent_since = _NEVER, None, None
            if child.children:
                child.drop_spent(before_seconds)
            if child.value_time == child.object_time == _NEVER:
                emptied.append(key)
        for key in emptied:
            del self.children[key]

    def drop_until(self, time: int) -> list[AttributeWrite]:
        """Forget every write at `time` or before it: what is left is what the later ones alone would have made.

        A write for each attribute that reads otherwise now.
        """
        before = self.resolve()
        self._drop_until(time)
        return [AttributeWrite(path, changed=True) for path in _differing(before, self.resolve())]

    def _drop_until(self, time: int) -> None:
        if self.value_time <= time:
            self.value_time, self.value, self.spent_since = _NEVER, None, None
        if self.object_time <= time:
            self.object_time = _NEVER
            self.children.clear()
        for key, child in self._touched():
            child._drop_until(time)
            if child.value_time == child.object_time == _NEVER:
                del self.children[key]

    def to_document(self) -> Document:
        if self.value is not None and self.object_time == _NEVER and not self.children:
            return [self.value_time, self.value]  # what most nodes are
        parts: list[Any] = [
            None if self.value_time == _NEVER else self.value_time,
            self.value,
            None if self.object_time == _NEVER else self.object_time,
            {
                key: child.to_document() if isinstance(child, AttributeNode) else child
                for key, child in self.children.items()
            }
            or None,
            self.spent_since,
        ]
        while parts and parts[-1] is None:
            parts.pop()
        return parts

    @classmethod
    def from_document(cls, document: Document) -> "AttributeNode":
        if len(document) == 2:
            return cls(*document)
        value_time, value, object_time, children, spent_since = document + [None] * (5 - len(document))
        return cls(
            _NEVER if value_time is None else value_time,
            value,
            _NEVER if object_time is None else object_time,
            dict(children or {}),
            spent_since,
        )


def _resolved(node: AttributeNode | Document, floor: int) -> Any:
    """As `AttributeNode._resolve`, which a document need not be a node for."""
    if isinstance(node, AttributeNode):
        return node._resolve(floor)
    size = len(node)
    value_time = _NEVER if size == 0 or node[0] is None else node[0]
    if size > 2 and (object_time := node[2]) is not None and object_time >= floor and object_time >= value_time:
        below = max(floor, value_time)
        children = node[3] if size > 3 else None
        return {
            key: value for key, child in (children or {}).items() if (value := _resolved(child, below)) is not _ABSENT
        }
    if size < 2 or node[1] is None or value_time < floor:
        return _ABSENT
    return node[1]


def _has_spent(node: AttributeNode | Document, before_seconds: int) -> bool:
    """Whether `drop_spent` may have something to do there: always in a node, for only documents are spared it."""
    if isinstance(node, AttributeNode):
        return True
    size = len(node)
    if size == 5 and node[4] < before_seconds:
        return True
    if size > 3 and node[3]:
        return any(_has_spent(child, before_seconds) for child in node[3].values())
    return size == 0


def _differing(before: Any, after: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of the leaves of `before` that are not the same in `after`."""
    if isinstance(before, dict) and before and isinstance(after, dict):
        for key, value in before.items():
            yield from _differing(value, after.get(key, _ABSENT), (*path, key))
    elif not same_json(before, after):
        yield path
