"""Strict JSON on the way in, one byte form on the way out, and where "too deep" begins."""

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain.jsonvalue import (
    MAX_DEPTH,
    InvalidJsonError,
    JsonValue,
    canonical_json,
    deeper_than,
    json_bytes,
    parse_json,
    same_json,
)

TEXTS = st.text(st.sampled_from('aZ"\\/\n\x00\x7f\u2028é\U0001f600'), max_size=4)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def depth_of(value: JsonValue) -> int:
    """How many objects and arrays are nested, the model of `deeper_than`."""
    if isinstance(value, dict):
        return 1 + max((depth_of(inner) for inner in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth_of(inner) for inner in value), default=0)
    return 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NaN", "expected a JSON number, got NaN"),
        ('{"a": [Infinity]}', "expected a JSON number, got Infinity"),
        ("-Infinity", "expected a JSON number, got -Infinity"),
        ("1e400", "expected numbers within the range of a double"),
        ("[-1e309]", "expected numbers within the range of a double"),
        ("9" * 309, "expected numbers within the range of a double"),
        ("[-1" + "0" * 309 + "]", "expected numbers within the range of a double"),
        (str(2**1024), "expected numbers within the range of a double"),
        ("9" * 5_000, "expected numbers within the range of a double"),
        ("[" * 100_000 + "]" * 100_000, "expected at most 64 levels of nesting"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "expected at most 64 levels of nesting"),
        ("", "at character 0"),
        ("[1,]", "at character "),
        ("{'a': 1}", "at character 1"),
        ("[1] 2", "at character 4"),
        ('"\n"', "at character 1"),
        ("[01]", "at character 2"),
        ("[1, // one\n2]", "at character 4"),
    ],
)
def test_what_is_not_json_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(InvalidJsonError) as refusal:
        parse_json(text)
    assert str(refusal.value).startswith("expected ")
    assert expected in str(refusal.value)


def test_a_refusal_quotes_nothing_of_the_text() -> None:
    with pytest.raises(InvalidJsonError) as refusal:
        parse_json('{"email": "jane@example.com", "pin": 4711x}')
    assert "jane" not in str(refusal.value)
    assert "4711" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e308", 1e308),
        ("1e-400", 0.0),
        ("-0.0", -0.0),
        ("9007199254740993", 9_007_199_254_740_993),
        ("9" * 308, 10**308 - 1),
        ("-1" + "0" * 308, -(10**308)),
        (str(2**1024 - 1), 2**1024 - 1),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        (" \t\r\n[ ] ", []),
    ],
)
def test_numbers_and_strings_at_the_edge_are_taken(text: str, value: JsonValue) -> None:
    parsed = parse_json(text)
    assert (type(parsed), repr(parsed)) == (type(value), repr(value))


@settings(max_examples=40)
@given(VALUES)
def test_what_was_written_is_read_again(value: JsonValue) -> None:
    assert parse_json(canonical_json(value)) == value


def shuffled(value: JsonValue, rng: random.Random) -> JsonValue:
    if isinstance(value, dict):
        return {key: shuffled(value[key], rng) for key in rng.sample(sorted(value), len(value))}
    return [shuffled(inner, rng) for inner in value] if isinstance(value, list) else value


@settings(max_examples=40)
@given(VALUES, st.integers(0, 99))
def test_the_order_of_keys_does_not_alter_the_canonical_form(value: JsonValue, seed: int) -> None:
    assert canonical_json(shuffled(value, random.Random(seed))) == canonical_json(value)


def test_the_canonical_form_is_sorted_compact_and_unescaped() -> None:
    value: JsonValue = {"b": [1, 1.0, True, None], "a": {"é": "\U0001f600", "Z": ""}}
    assert canonical_json(value) == '{"a":{"Z":"","é":"\U0001f600"},"b":[1,1.0,true,null]}'


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0, False), (None, "null"), ({}, []), ("1", 1)])
def test_values_that_are_not_the_same_json_have_other_canonical_forms(one: JsonValue, other: JsonValue) -> None:
    assert canonical_json(one) != canonical_json(other)


@settings(max_examples=150)
@given(VALUES, VALUES)
@example(0.0, -0.0)
@example(1, True)
@example(10**5, 10**5)
@example([1], [1.0])
def test_two_values_are_the_same_json_if_their_canonical_forms_are(one: JsonValue, other: JsonValue) -> None:
    assert same_json(one, other) == (canonical_json(one) == canonical_json(other))
    assert same_json(one, parse_json(canonical_json(one)))


WITHOUT_DOUBLES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**63 - 2, 2**64 + 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80)
@given(WITHOUT_DOUBLES)
def test_the_bytes_are_the_canonical_form_but_for_doubles(value: JsonValue) -> None:
    assert json_bytes(value) == canonical_json(value).encode()


@settings(max_examples=80)
@given(VALUES, st.integers(0, 99))
def test_the_bytes_hold_the_same_value_whatever_the_order_of_keys(value: JsonValue, seed: int) -> None:
    written = json_bytes(shuffled(value, random.Random(seed)))
    assert written == json_bytes(value)
    assert canonical_json(parse_json(written.decode())) == canonical_json(value)


@pytest.mark.parametrize("number", [1e16, 1e-7, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 2**64, -(10**308)])
def test_no_number_is_changed_by_its_bytes(number: float) -> None:
    parsed = parse_json(json_bytes([number]).decode())
    assert (repr(parsed), type(parsed[0])) == (repr([number]), type(number))


def test_keys_are_sorted_by_code_point_or_left_in_their_order() -> None:
    assert json_bytes({"\U0001f600": 1, "\uffff": 2, "a": 3}) == '{"a":3,"\uffff":2,"\U0001f600":1}'.encode()
    assert json_bytes({"b": 1, "a": 2**64}, sort_keys=False) == b'{"b":1,"a":18446744073709551616}'
    assert json_bytes({"b": 1, "a": 2}, sort_keys=False) == b'{"b":1,"a":2}'


def test_half_of_a_surrogate_pair_has_no_bytes() -> None:
    with pytest.raises(UnicodeEncodeError):
        json_bytes(["\ud83d"])


@settings(max_examples=40)
@given(VALUES, st.integers(0, 6))
def test_depth_counts_objects_and_arrays(value: JsonValue, levels: int) -> None:
    assert deeper_than(value, levels) == (depth_of(value) > levels)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize(
    ("depth", "too_deep"), [(MAX_DEPTH - 1, False), (MAX_DEPTH, False), (MAX_DEPTH + 1, True), (300, True)]
)
def test_too_deep_begins_one_past_the_limit(opening: str, closing: str, depth: int, too_deep: bool) -> None:
    value = json.loads(opening * depth + "1" * (opening != "[") + closing * depth)
    assert deeper_than(value, MAX_DEPTH) is too_deep
