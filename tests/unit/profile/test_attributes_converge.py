"""The register rule against RFC 7396: any order and any duplication of merge patches gives what their fold gives."""

import copy
import json
import random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_merge_patch import merge

from shared.domain.profile.attributes import AttributeNode

KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = st.one_of(st.none(), st.integers(0, 3), st.booleans(), st.sampled_from(["x", "y"]), st.just([1, {"a": None}]))
PATCHES = st.dictionaries(
    KEYS,
    st.recursive(SCALARS | st.just({}), lambda below: st.dictionaries(KEYS, below, max_size=3), max_leaves=6),
    min_size=1,
    max_size=3,
)


def folded(patches: list[dict[str, Any]]) -> Any:
    """The patches applied in their order by an independent library."""
    document: Any = {}
    for patch in patches:
        document = merge(document, copy.deepcopy(patch))
    return document


def told_apart(value: Any) -> str:
    """`value` as text: to Python `False`, `0` and `0.0` are equal, to JSON they are not."""
    return json.dumps(value, sort_keys=True)


def found_at(document: Any, path: list[str]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def merged(writes: list[tuple[int, dict[str, Any]]]) -> AttributeNode:
    root = AttributeNode()
    for time, patch in writes:
        root.merge(copy.deepcopy(patch), time, now_seconds=0)
    return root


@settings(max_examples=100)
@given(patches=st.lists(PATCHES, min_size=1, max_size=8), seed=st.integers(0, 2**32), data=st.data())
def test_any_order_and_duplication_equals_the_fold(patches: list[dict[str, Any]], seed: int, data: Any) -> None:
    writes = list(enumerate(patches, start=1))
    expected = folded(patches)
    shuffled = writes + data.draw(st.lists(st.sampled_from(writes), max_size=4))
    random.Random(seed).shuffle(shuffled)

    root = merged(shuffled)

    assert told_apart(root.resolve()) == told_apart(expected)
    path = data.draw(st.lists(KEYS, max_size=3))
    assert told_apart(root.value_at(tuple(path))) == told_apart(found_at(expected, path))
    assert AttributeNode.from_document(root.to_document()) == root


@settings(max_examples=100)
@given(writes=st.lists(st.tuples(st.integers(1, 3), PATCHES), min_size=1, max_size=6), seed=st.integers(0, 2**32))
def test_writes_at_the_same_time_converge(writes: list[tuple[int, dict[str, Any]]], seed: int) -> None:
    shuffled = list(writes)
    random.Random(seed).shuffle(shuffled)
    assert told_apart(merged(shuffled).resolve()) == told_apart(merged(writes).resolve())


@settings(max_examples=100)
@given(
    writes=st.lists(st.tuples(st.integers(1, 4), PATCHES), min_size=1, max_size=6),
    last=st.tuples(st.integers(1, 5), PATCHES),
)
@example(writes=[(1, {"a": False})], last=(2, {"a": 0}))
@example(writes=[(1, {"a": 1})], last=(1, {"a": True}))
def test_what_is_reported_is_what_moved(
    writes: list[tuple[int, dict[str, Any]]], last: tuple[int, dict[str, Any]]
) -> None:
    root = merged(writes)
    time, patch = last
    before_document, before = told_apart(root.to_document()), told_apart(root.resolve())

    reported = root.merge(copy.deepcopy(patch), time, now_seconds=0)

    assert bool(reported) == (told_apart(root.to_document()) != before_document)
    assert any(write.changed for write in reported) == (told_apart(root.resolve()) != before)


MASKS = st.recursive(st.none(), lambda below: st.dictionaries(KEYS, below, max_size=3), max_leaves=5)


@settings(max_examples=200)
@given(
    writes=st.lists(st.tuples(st.integers(1, 6), PATCHES), min_size=1, max_size=8),
    mask=st.dictionaries(KEYS, MASKS, max_size=3),
    path=st.lists(KEYS, max_size=3),
    dropped=st.integers(0, 7),
)
def test_what_was_stored_in_between_changes_nothing(
    writes: list[tuple[int, dict[str, Any]]], mask: Any, path: list[str], dropped: int
) -> None:
    """What is read of a row becomes nodes only where it is touched; nobody may notice."""
    kept, stored = AttributeNode(), AttributeNode()
    for now, (time, patch) in enumerate(writes):
        stored = AttributeNode.from_document(json.loads(json.dumps(stored.to_document())))
        assert kept.merge(copy.deepcopy(patch), time, now) == stored.merge(copy.deepcopy(patch), time, now)
        for node in (kept, stored):
            node.drop_spent(now - 3)
        assert told_apart(kept.to_document()) == told_apart(stored.to_document())
    stored = AttributeNode.from_document(json.loads(json.dumps(stored.to_document())))
    assert told_apart(kept.cut(mask)) == told_apart(stored.cut(mask))
    assert told_apart(kept.value_at(tuple(path))) == told_apart(stored.value_at(tuple(path)))
    assert told_apart(kept.resolve()) == told_apart(stored.resolve())
    assert kept.drop_until(dropped) == stored.drop_until(dropped)
    assert told_apart(kept.to_document()) == told_apart(stored.to_document())
