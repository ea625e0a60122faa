"""From the bytes of a queue message to changes: the forms that are taken, and one bad item among good ones."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.messages.message import DecodedMessage, RejectedItem, decode_message
from shared.errors import FailureCode
from tests.kit.builders import NOW, item

BOM = b"\xef\xbb\xbf"
GOOD = json.dumps(item("good", 1))
LAST = json.dumps(item("last", 2, attributes={"note": 'no "end" ]}, here \\', "changes": [1, {"changes": [2]}]}))


def array(*items: str) -> str:
    return f"[{','.join(items)}]"


def padded_array(*items: str) -> str:
    return "\n [ \t" + " ,\r\n ".join(items) + "\n]\n"


def changes_object(*items: str) -> str:
    return f'{{"changes":[{",".join(items)}]}}'


def changes_last_of_several(*items: str) -> str:
    return f'{{"note": "changes", "about": {{"changes": ["]"]}}, "of": ["changes"], "changes" : [{", ".join(items)}] }}'


FORMS = [array, padded_array, changes_object, changes_last_of_several]


def plain(text: str) -> bytes:
    return text.encode()


def base64_of(text: str) -> bytes:
    return base64.b64encode(text.encode())


def base64_in_lines(text: str) -> bytes:
    return b"\r\n\t" + base64.encodebytes(text.encode()).replace(b"\n", b"\r\n") + b" "


def with_bom(text: str) -> bytes:
    return BOM + text.encode()


def base64_with_bom(text: str) -> bytes:
    return BOM + base64.b64encode(BOM + text.encode())


ENCODINGS = [plain, base64_of, base64_in_lines, with_bom, base64_with_bom]


def profiles(decoded: DecodedMessage) -> list[tuple[int, str]]:
    return [(index, change.profile_id) for index, change in decoded.changes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, [(0, "good")]),
        *[(form(GOOD, LAST), [(0, "good"), (1, "last")]) for form in FORMS],
        (array(), []),
        (changes_object(), []),
        ("[ \n ]", []),
    ],
)
def test_every_form_is_taken_in_every_encoding(text: str, expected: list[tuple[int, str]]) -> None:
    for encode in ENCODINGS:
        decoded = decode_message(encode(text), NOW)
        assert profiles(decoded) == expected, encode
        assert (decoded.rejected, decoded.body) == ([], encode(text))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "expected JSON that starts with { or [, or base64 of it"),
        (b" \n", "expected JSON that starts with { or [, or base64 of it"),
        (b"profile changed!", "expected JSON that starts with { or ["),
        ("gr\u00fc\u00dfe".encode(), "expected JSON that starts with { or ["),
        (base64.b64encode(base64.b64encode(GOOD.encode())), "expected JSON that starts with { or ["),
        (b"\xff\xfe{\x00}\x00", "expected UTF-8"),
        (b'{"profileId": "\xe9"}', "expected UTF-8"),
        (base64.b64encode(b'["\xff"]'), "expected UTF-8"),
        (GOOD.encode()[:-1], "expected JSON: "),
        (GOOD.encode() + b"{}", "expected JSON: "),
        (array(GOOD, LAST).encode()[:-1], "expected JSON: "),
        (b"[NaN, 1], [2]", "expected a JSON number, got NaN"),
        (b'{"changes": [NaN]} {}', "expected a JSON number, got NaN"),
        (b'{"changes" [{}, {}]}', "expected JSON: "),
        (BOM + b'\n {"changes": 3}\n', "/changes: expected an array"),
        (b'{"changes": {"changes": []}}', "/changes: expected an array"),
        (b'{"profileId":"changes","attributes":{"changes":[NaN,1]}}', "expected a JSON number, got NaN"),
    ],
)
def test_a_message_that_is_rejected_whole_keeps_its_bytes(body: bytes, reason: str) -> None:
    decoded = decode_message(body, NOW)
    assert decoded.changes == []
    [rejected] = decoded.rejected
    assert (rejected.index, rejected.raw, rejected.profile_id) == (None, body, None)
    assert rejected.reason.startswith(reason)


BAD_ITEMS = {
    "not JSON": ('{"profileId": jane, "x": "]"}', "expected JSON: Expecting value at character 14"),
    "nothing": ("", "expected JSON"),
    "a raw newline in a string": ('{"profileId": "ja\nne"}', "expected JSON"),
    "NaN": ('{"profileId": "jane", "attributes": {"x": NaN}}', "expected a JSON number, got NaN"),
    "beyond a double": ('{"attributes": {"x": [1e400]}}', "expected numbers within the range of a double"),
    "5,000 digits": ('{"attributes": {"x": ' + "9" * 5_000 + "}}", "expected numbers within the range of a double"),
    "200 levels": ('{"a":' * 200 + "1" + "}" * 200, "expected at most 64 levels of nesting"),
    "1,500 levels": ('{"a":' * 1_500 + "1" + "}" * 1_500, "expected at most 64 levels of nesting"),
    "half a pair": ('{"attributes": {"x": "\\ud83d"}}', "expected Unicode text, got half of a surrogate pair"),
    "the other half": ('{"attributes": {"\\uDE00": 1}}', "expected Unicode text, got half of a surrogate pair"),
    "a number": ("4711", "expected an object with profileId and occurredAt"),
    "a string of marks": (r'"]}, \" [{ \\"', "expected an object with profileId and occurredAt"),
    "a batch in the batch": (changes_object(GOOD), "/profileId: expected this field, which is missing"),
    "a wrong field": (json.dumps(item("jane", 1, attributes=3)), "/attributes: expected an object"),
}


@pytest.mark.parametrize(("form", "encode"), [*zip(FORMS, ENCODINGS, strict=False)])
@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_a_bad_item_is_rejected_with_its_bytes_and_its_neighbours_go_on(
    bad: str, form: Callable[..., str], encode: Callable[[str], bytes]
) -> None:
    source, reason = BAD_ITEMS[bad]
    decoded = decode_message(encode(form(GOOD, source, LAST)), NOW)
    assert profiles(decoded) == [(0, "good"), (2, "last")]
    [rejected] = decoded.rejected
    assert (rejected.index, rejected.raw) == (1, source.encode())
    assert rejected.reason.startswith(f"item 1: {reason}")


def test_an_item_nested_100_000_levels_deep_harms_no_neighbour() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    decoded = decode_message(array(GOOD, deep, LAST).encode(), NOW)
    assert profiles(decoded) == [(0, "good"), (2, "last")]
    reason = "item 1: expected at most 64 levels of nesting"
    assert decoded.rejected == [RejectedItem(1, deep.encode(), reason, code=FailureCode.UNREADABLE)]


def test_no_depth_around_the_parsers_own_limit_makes_it_raise() -> None:
    for depth in range(900, 1_010, 3):
        check_that_all_is_accounted_for(array("[" * depth + '"\\ud800"' + "]" * depth, GOOD).encode())


@pytest.mark.parametrize("form", FORMS)
def test_several_bad_items_are_rejected_one_by_one(form: Callable[..., str]) -> None:
    decoded = decode_message(form("NaN", GOOD, "{}", "oops", LAST).encode(), NOW)
    assert profiles(decoded) == [(1, "good"), (4, "last")]
    assert [(rejected.index, rejected.raw) for rejected in decoded.rejected] == [(0, b"NaN"), (2, b"{}"), (3, b"oops")]


@pytest.mark.parametrize("between", [None, "NaN"])
@pytest.mark.parametrize("form", FORMS)
def test_the_source_of_an_item_is_what_was_received(form: Callable[..., str], between: str | None) -> None:
    """Also of a valid item: white space, escapes and the order of its fields stay."""
    sources = ['{ "occurredAt":"2026-01-11T21:00:01.50Z",\n"profileId" : "\\u00e9\\/\\ud83d\\ude00"}', LAST]
    sources[1:1] = [between] if between else []
    decoded = decode_message(form(*sources).encode(), NOW)
    assert decoded.changes[0][1].profile_id == "é/\U0001f600"
    assert [decoded.source(index) for index in range(len(sources))] == [source.encode() for source in sources]


@pytest.mark.parametrize("encode", [plain, base64_in_lines, with_bom])
def test_the_source_of_a_single_change_is_the_whole_body(encode: Callable[[str], bytes]) -> None:
    body = encode(LAST)
    assert decode_message(body, NOW).source(0) == body
    bad = encode(json.dumps(item("jane", 1, attributes={"changes": [1, 2]}, changes=3)))
    reason = "item 0: /changes: expected no such field (is its name misspelt?)"
    assert decode_message(bad, NOW).rejected == [RejectedItem(0, bad, reason, "jane")]


@pytest.mark.parametrize(
    ("source", "profile_id"),
    [('{"profileId": "jane"}', "jane"), ('{"profileId": 4711}', None), ("{}", None), ("[]", None), ("jane", None)],
)
def test_a_rejected_item_tells_whose_it_is_where_it_says_so(source: str, profile_id: str | None) -> None:
    [rejected] = decode_message(array(GOOD, source).encode(), NOW).rejected
    assert rejected.profile_id == profile_id


def check_that_all_is_accounted_for(body: bytes) -> DecodedMessage:
    """Either the whole message is rejected, or each item is a change or rejected, and none is both."""
    decoded = decode_message(body, NOW)
    if any(rejected.index is None for rejected in decoded.rejected):
        assert (decoded.changes, len(decoded.rejected), decoded.rejected[0].raw) == ([], 1, body)
    else:
        indexes = [index for index, _ in decoded.changes] + [rejected.index or 0 for rejected in decoded.rejected]
        assert sorted(indexes) == list(range(len(indexes)))
    return decoded


SYNTAX = ["[", "]", "{", "}", ",", ":", '"', "\\", '"changes":[', '"profileId":', "NaN", "1e400", "\\ud800", " ", GOOD]
SOUP = st.lists(st.sampled_from(SYNTAX), max_size=12).map("".join)
BATCH = changes_object(GOOD, LAST, json.dumps(item("third", 3))).encode()


@settings(max_examples=40)
@given(st.binary(max_size=40) | st.binary(max_size=30).map(base64.b64encode) | SOUP.map(plain) | SOUP.map(base64_of))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    check_that_all_is_accounted_for(body)


def refuse(text: str) -> None:
    raise ValueError(f"{text} is not strict JSON")


def items_in(document: Any) -> int | None:
    if isinstance(document, dict) and "changes" in document and "profileId" not in document:
        document = document["changes"]
        return len(document) if isinstance(document, list) else None
    return len(document) if isinstance(document, list) else 1


@settings(max_examples=60)
@given(st.integers(0, len(BATCH)), st.integers(0, 3), st.binary(max_size=3) | SOUP.map(plain))
def test_no_edit_of_a_batch_loses_an_item(start: int, removed: int, inserted: bytes) -> None:
    body = BATCH[:start] + inserted + BATCH[start + removed :]
    decoded = check_that_all_is_accounted_for(body)
    try:
        document = json.loads(body.decode(), parse_constant=refuse, parse_float=refuse)
    except ValueError:
        return
    held = items_in(document)
    assert len(decoded.changes) + len(decoded.rejected) == (1 if held is None else held)
    assert (held is None) == any(rejected.index is None for rejected in decoded.rejected)


WORDS = st.text(st.sampled_from("aZ09:.-+_/~#?'\u00e9\u4e16\U0001f600"), min_size=1, max_size=8)


@settings(max_examples=30)
@given(st.lists(WORDS, max_size=6))
def test_whatever_stands_between_commas_is_one_item(words: list[str]) -> None:
    decoded = decode_message(array(GOOD, *words, LAST).encode(), NOW)
    assert profiles(decoded) == [(0, "good"), (len(words) + 1, "last")]
    assert [rejected.raw.decode() for rejected in decoded.rejected] == words
