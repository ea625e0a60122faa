"""Profile attributes of a public schema repository, through state, mapping and export."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from json_merge_patch import merge

from shared.domain.configuration.paths import format_path, parse_path
from shared.domain.exports.export import export_of
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, change, membership, targets_of

EXAMPLES_FILE = Path(__file__).parents[4] / "shared/data/xdm-profile-examples.ndjson"
if not EXAMPLES_FILE.exists():
    pytest.skip("the example profiles are not beside this checkout", allow_module_level=True)

EXAMPLES: list[dict[str, Any]] = [
    attributes
    for line in EXAMPLES_FILE.read_text().splitlines()
    if line.startswith("{") and (attributes := json.loads(line)["attributes"])
]
ALL_TOGETHER: dict[str, Any] = {}
for example in EXAMPLES:
    ALL_TOGETHER = merge(ALL_TOGETHER, example)


def leaves(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, below in value.items():
        if isinstance(below, dict) and below:
            yield from leaves(below, (*path, key))
        else:
            yield (*path, key), below


def exported(state: ProfileState, attributes: list[str]) -> Any:
    targets = targets_of({"id": "d", "audiences": ["a"], "attributes": attributes})
    body = json.loads(export_of(state, targets.by_id["d"], targets.catalog, ["audience"], NOW).body)
    return {key: value for key, value in body.items() if key not in {"segmentMembership", "identityMap"}}


def state_of(writes: list[tuple[int, dict[str, Any]]]) -> ProfileState:
    state = ProfileState("p")
    state.apply(change(0, segmentMembership=membership(0)), NOW)
    for second, attributes in writes:
        state.apply(change(second, attributes=attributes), NOW)
    return ProfileState.from_document(json.loads(json.dumps(state.to_document())))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8
    assert len(list(leaves(ALL_TOGETHER))) > 70


@pytest.mark.parametrize("seed", range(5))
def test_in_any_order_all_of_it_is_exported(seed: int) -> None:
    writes = list(enumerate(EXAMPLES, start=1))
    random.Random(seed).shuffle(writes)
    assert exported(state_of(writes), [format_path((key,)) for key in ALL_TOGETHER]) == ALL_TOGETHER


def test_each_leaf_can_be_mapped_alone() -> None:
    state = state_of([(1, ALL_TOGETHER)])
    for path, value in leaves(ALL_TOGETHER):
        expected = value
        for key in reversed(path):
            expected = {key: expected}
        assert exported(state, [format_path(path)]) == expected
        assert parse_path(format_path(path)) == path


def test_each_leaf_can_be_removed_alone() -> None:
    for path, _ in leaves(ALL_TOGETHER):
        removal: Any = None
        for key in reversed(path):
            removal = {key: removal}
        state = state_of([(1, ALL_TOGETHER), (2, removal)])
        assert state.attributes.resolve() == merge(json.loads(json.dumps(ALL_TOGETHER)), removal)
