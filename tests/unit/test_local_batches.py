"""How `send` packs lines into queue messages: as many as fit, nothing lost, and each refusal with its reason."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.batches import MESSAGE_LIMIT, Batcher, LineRefusedError, Message


def batches(batcher: Batcher, *lines: bytes) -> list[Message]:
    full = [batcher.add(number, line) for number, line in enumerate(lines, start=1)]
    return [message for message in (*full, batcher.flush()) if message]


def changes_in(message: Message, *, as_base64: bool = False) -> list[Any]:
    document = json.loads(base64.b64decode(message.text) if as_base64 else message.text)
    changes: list[Any] = document.get("changes", [document])
    return changes


def escaped_size(text: str) -> int:
    return len(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode())


def line_of(size: int) -> bytes:
    frame = len(b'{"x":""}')
    return b'{"x":"%s"}' % (b"y" * (size - frame))


@given(
    st.lists(
        st.dictionaries(st.just("text"), st.text(alphabet='aü€😀<&>"\uffff', max_size=60), min_size=1), max_size=30
    ),
    st.integers(min_value=1, max_value=400),
    st.booleans(),
)
def test_all_changes_arrive_in_order_and_no_batch_is_larger_than_asked_for(
    changes: list[dict[str, str]], batch_bytes: int, as_base64: bool
) -> None:
    lines = [json.dumps(change, ensure_ascii=False).encode() for change in changes]
    messages = batches(Batcher(batch_bytes=batch_bytes, as_base64=as_base64), *lines)
    assert [change for message in messages for change in changes_in(message, as_base64=as_base64)] == changes
    for message in messages:
        size = len(base64.b64decode(message.text)) if as_base64 else len(message.text.encode())
        assert size <= batch_bytes or message.changes == 1
        assert "\uffff" not in message.text, "XML has no such character"


def test_a_batch_is_filled_before_it_goes() -> None:
    lines = [line_of(1_000)] * 100
    messages = batches(Batcher(batch_bytes=MESSAGE_LIMIT), *lines)
    assert [(message.changes, message.first_line, message.last_line) for message in messages] == [
        (65, 1, 65),
        (35, 66, 100),
    ]


def test_what_xml_escapes_counts_as_much_as_the_escape() -> None:
    lines = [b'{"x":"%s"}' % (b"&" * 992)] * 100
    messages = batches(Batcher(batch_bytes=MESSAGE_LIMIT), *lines)
    assert {message.changes for message in messages[:-1]} == {13}
    assert all(escaped_size(message.text) <= MESSAGE_LIMIT for message in messages)


@pytest.mark.parametrize(("as_base64", "largest"), [(False, MESSAGE_LIMIT), (True, MESSAGE_LIMIT * 3 // 4)])
def test_the_largest_change_goes_alone_and_bare(as_base64: bool, largest: int) -> None:
    batcher = Batcher(batch_bytes=1_000, as_base64=as_base64)
    messages = batches(batcher, line_of(100), line_of(largest), line_of(100))
    assert [message.changes for message in messages] == [1, 1, 1]
    assert len(messages[1].text) == MESSAGE_LIMIT
    with pytest.raises(LineRefusedError, match=r"too large: 65,5\d\d bytes"):
        batcher.add(4, line_of(largest + 1))


def test_no_more_changes_than_asked_for() -> None:
    messages = batches(Batcher(batch_bytes=MESSAGE_LIMIT, most_changes=2), *[b"{}"] * 5)
    assert [message.changes for message in messages] == [2, 2, 1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{bad", "not JSON: Expecting property name .* at column 2"),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b"[1]", "a JSON object is expected"),
        (b'{"a":"\xff"}', r"not UTF-8 \(byte 7\)"),
        (b'{"a":' * 100_000, "nested too deeply|not JSON"),
    ],
)
def test_a_line_that_cannot_be_sent_is_refused_and_the_batch_goes_on(line: bytes, reason: str) -> None:
    batcher = Batcher(batch_bytes=MESSAGE_LIMIT)
    batcher.add(1, b'{"n":1}')
    with pytest.raises(LineRefusedError, match=reason):
        batcher.add(2, line)
    batcher.add(3, b'{"n":3}')
    message = batcher.flush()
    assert message
    assert changes_in(message) == [{"n": 1}, {"n": 3}]


def test_digits_and_a_byte_order_mark() -> None:
    line = '{"n":' + "9" * 5_000 + ',"f":1.10}'
    [message] = batches(Batcher(batch_bytes=MESSAGE_LIMIT), line.encode("utf-8-sig"))
    assert message.text == line
