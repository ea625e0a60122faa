"""Attribute paths: how they are written, what is refused, and matching and merging against brute force."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.configuration.paths import PathIndex, format_path, mask_of, parse_path
from shared.domain.profile.attributes import AttributeNode

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple)
KEYS = st.text(st.sampled_from("abc~/01. é"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("/person/name/firstName", ("person", "name", "firstName")),
        ("person.name.firstName", ("person", "name", "firstName")),
        ("person", ("person",)),
        ("/person", ("person",)),
        ("/a.b/c", ("a.b", "c")),
        ("_tenant.loyalty-card.tier 1", ("_tenant", "loyalty-card", "tier 1")),
        ("/a~1b/c~0d", ("a/b", "c~d")),
        ("/a~01", ("a~1",)),
        ("a~1b/c", ("a~1b/c",)),
        ("/person/segmentMembership", ("person", "segmentMembership")),
        ("/identitymap", ("identitymap",)),
        ("/a1/1a/-a/ ", ("a1", "1a", "-a", " ")),
        ("/\U0001f600/é", ("\U0001f600", "é")),
        ("/stores/1042/tier", ("stores", "1042", "tier")),
        ("stores.1042.tier", ("stores", "1042", "tier")),
        ("/0/-", ("0", "-")),
        ("/stores/\uff11\uff12", ("stores", "\uff11\uff12")),
        ("/list[0]/x", ("list[0]", "x")),
    ],
)
def test_pointers_and_dotted_paths_name_keys(text: str, keys: tuple[str, ...]) -> None:
    assert parse_path(text) == keys


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "without empty keys, such as /person/name/firstName"),
        ("/", "without empty keys"),
        (".", "without empty keys"),
        ("a..b", "without empty keys"),
        ("a.", "without empty keys"),
        ("/a//b", "without empty keys"),
        ("/a/", "without empty keys"),
        ("emails[0]", "ends at the array"),
        ("person.emails[0].address", "ends at the array"),
        ("/segmentMembership", "segmentMembership is a member of every export already"),
        ("segmentMembership.ups.a", "segmentMembership is a member"),
        ("/identityMap/ecid", "identityMap is a member"),
    ],
)
def test_a_path_is_refused_with_a_reason_that_helps(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^expected ") as refusal:
        parse_path(text)
    assert reason in str(refusal.value)


@settings(max_examples=60)
@given(st.lists(KEYS, min_size=1, max_size=5).map(tuple))
def test_a_formatted_path_parses_to_the_same_keys(path: tuple[str, ...]) -> None:
    text = format_path(path)
    assert text.startswith("/")
    assert parse_path(text) == path


def test_both_spellings_of_a_path_have_one_form() -> None:
    assert format_path(parse_path("a.b.c")) == format_path(parse_path("/a/b/c")) == "/a/b/c"


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


@settings(max_examples=60)
@given(st.lists(st.tuples(PATHS, st.integers(0, 5)), max_size=8), PATHS | st.just(()))
def test_matching_finds_whoever_is_at_above_or_below(
    added: list[tuple[tuple[str, ...], int]], looked_for: tuple[str, ...]
) -> None:
    index: PathIndex[int] = PathIndex()
    for path, item in added:
        index.add(path, item)
    assert set(index.matching(looked_for)) == {item for path, item in added if overlap(path, looked_for)}


PATCHES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(0, 1) | st.none() | st.just({}),
        lambda below: st.dictionaries(st.sampled_from("abc"), below, max_size=2),
        max_leaves=4,
    ),
    max_size=2,
)
SHORT_PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple)


@settings(max_examples=200)
@given(st.sets(SHORT_PATHS, max_size=6), st.lists(PATCHES, max_size=3), PATCHES)
def test_a_patch_touches_every_path_whose_value_it_alters_and_none_beside_what_it_writes(
    paths: set[tuple[str, ...]], earlier: list[dict[str, Any]], patch: dict[str, Any]
) -> None:
    index: PathIndex[tuple[str, ...]] = PathIndex()
    for path in paths:
        index.add(path, path)
    attributes = AttributeNode()
    for time, written in enumerate(earlier):
        attributes.merge(written, time, 0)
    before = {path: attributes.value_at(path) for path in paths}
    writes = attributes.merge(patch, len(earlier), 0)
    altered = {path for path in paths if attributes.value_at(path) != before[path]}

    touched = list(index.touched_by(patch))

    assert altered <= set(touched)
    assert all(any(overlap(path, write.path) for write in writes) for path in touched)
    assert len(touched) == len(set(touched))
    assert set(index.touched_by(None)) == paths


def test_looking_for_a_path_leaves_the_index_as_it_was() -> None:
    index: PathIndex[str] = PathIndex()
    index.add(("a", "b"), "x")
    assert index.matching(("a", "c")) == []
    assert index.matching(("z",)) == []
    assert list(index.children) == ["a"]
    assert list(index.children["a"].children) == ["b"]


@pytest.mark.parametrize("path", [("a",), ("a", "b"), ("a", "b", "c")])
def test_an_item_added_twice_is_kept_once(path: tuple[str, ...]) -> None:
    index: PathIndex[str] = PathIndex()
    index.add(("a", "b"), "x")
    index.add(("a", "b"), "x")
    assert index.matching(path) == ["x"]


def ends_of(mask: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, below in mask.items():
        if below is None:
            yield (*above, key)
        else:
            assert below, "a branch without anything mapped below it"
            yield from ends_of(below, (*above, key))


@settings(max_examples=60)
@given(st.lists(PATHS, max_size=8))
def test_a_mask_keeps_the_paths_that_no_other_swallows(paths: list[tuple[str, ...]]) -> None:
    ends = list(ends_of(mask_of(paths)))
    assert sorted(ends) == sorted({p for p in paths if not any(p[:n] in paths for n in range(1, len(p)))})


@pytest.mark.parametrize(
    ("paths", "mask"),
    [
        ([], {}),
        ([("a",)], {"a": None}),
        ([("a", "b"), ("a",)], {"a": None}),
        ([("a",), ("a", "b", "c")], {"a": None}),
        ([("a", "b"), ("a", "c")], {"a": {"b": None, "c": None}}),
        ([("a", "b", "c"), ("a", "b"), ("d",)], {"a": {"b": None}, "d": None}),
    ],
)
def test_overlapping_paths_become_one_tree(paths: list[tuple[str, ...]], mask: dict[str, Any]) -> None:
    assert mask_of(paths) == mask
    assert mask_of(reversed(paths)) == mask


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("items[0].name", "so map /items"),
        ("person.emails[0]", "so map /person/emails"),
        ("[0].x", "so name the array first"),
    ],
)
def test_a_path_into_an_array_is_told_what_to_map_instead(text: str, instead: str) -> None:
    with pytest.raises(ValueError, match=f"{instead}$"):
        parse_path(text)
