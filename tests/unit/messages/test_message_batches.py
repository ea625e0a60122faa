"""How changes are packed into queue messages: as many as fit, nothing lost, and each refusal with its reason."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.queues.changes import message_text
from shared.domain.messages.batches import MESSAGE_LIMIT, Message, MessageBatches
from shared.domain.messages.outgoing import check_item, item_text
from shared.errors import ChangeRefusedError
from tests.kit.builders import NOW, item

TEXTS = st.text(alphabet='aü€😀<&>"\r\n\x00\uffff', max_size=60)


def packed(batches: MessageBatches, *changes: bytes | dict[str, Any]) -> list[Message]:
    full = [batches.add(number, item_text(change)) for number, change in enumerate(changes, start=1)]
    return [message for message in (*full, batches.flush()) if message]


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
    changes=st.lists(st.dictionaries(st.just("text"), TEXTS, min_size=1), max_size=30),
    batch_bytes=st.integers(min_value=1, max_value=400),
    as_base64=st.booleans(),
    as_lines=st.booleans(),
)
def test_all_changes_arrive_in_order_and_no_batch_is_larger_than_asked_for(
    changes: list[dict[str, str]], batch_bytes: int, as_base64: bool, as_lines: bool
) -> None:
    given = [json.dumps(change, ensure_ascii=False).encode() for change in changes] if as_lines else changes
    messages = packed(MessageBatches(batch_bytes=batch_bytes, as_base64=as_base64), *given)
    assert [change for message in messages for change in changes_in(message, as_base64=as_base64)] == changes
    for message in messages:
        size = len(base64.b64decode(message.text)) if as_base64 else len(message.text.encode())
        assert size <= batch_bytes or message.changes == 1
        assert message_text(message.text.encode()) == message.text, "the queue carries it as it is"


@given(
    sizes=st.lists(st.integers(min_value=1, max_value=40_000), max_size=12),
    character=st.sampled_from("y&<ü"),
    as_base64=st.booleans(),
)
def test_no_message_is_larger_than_the_queue_takes(sizes: list[int], character: str, as_base64: bool) -> None:
    batches, kept, messages = MessageBatches(as_base64=as_base64), 0, []
    for number, size in enumerate(sizes, start=1):
        try:
            full = batches.add(number, item_text({"x": character * size}))
        except ChangeRefusedError:
            assert escaped_size(character) * size > MESSAGE_LIMIT * (3 / 4 if as_base64 else 1) - 10
        else:
            kept += 1
            messages += [full] if full else []
    messages += [rest] if (rest := batches.flush()) else []
    assert sum(message.changes for message in messages) == kept
    assert all(escaped_size(message.text) <= MESSAGE_LIMIT for message in messages)


def test_a_batch_is_filled_before_it_goes() -> None:
    messages = packed(MessageBatches(), *[line_of(1_000)] * 100)
    assert [(message.changes, message.first_line, message.last_line) for message in messages] == [
        (65, 1, 65),
        (35, 66, 100),
    ]


def test_what_xml_escapes_counts_as_much_as_the_escape() -> None:
    messages = packed(MessageBatches(), *[b'{"x":"%s"}' % (b"&" * 992)] * 100)
    assert {message.changes for message in messages[:-1]} == {13}
    assert all(escaped_size(message.text) <= MESSAGE_LIMIT for message in messages)


@pytest.mark.parametrize(("as_base64", "largest"), [(False, MESSAGE_LIMIT), (True, MESSAGE_LIMIT * 3 // 4)])
def test_the_largest_change_goes_alone_and_bare(as_base64: bool, largest: int) -> None:
    batches = MessageBatches(batch_bytes=1_000, as_base64=as_base64)
    messages = packed(batches, line_of(100), line_of(largest), line_of(100))
    assert [message.changes for message in messages] == [1, 1, 1]
    assert len(messages[1].text) == MESSAGE_LIMIT
    with pytest.raises(ChangeRefusedError, match=r"too large: 65,5\d\d bytes"):
        packed(batches, line_of(largest + 1))


def test_no_more_changes_than_asked_for() -> None:
    messages = packed(MessageBatches(most_changes=2), *[b"{}"] * 5)
    assert [message.changes for message in messages] == [2, 2, 1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (b"{bad", "not JSON: Expecting property name .* at column 2"),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b"[1]", "a JSON object is expected"),
        (b'{"a":"\xff"}', r"not UTF-8 \(byte 7\)"),
        (b'{"a":' * 100_000, "nested too deeply|not JSON"),
        ({"a": object()}, "not JSON: Object of type object is not JSON serializable"),
        ({"a": float("inf")}, "not JSON: Out of range"),
        ({"a": "\ud800"}, "half of a surrogate pair"),
    ],
)
def test_what_is_no_json_object_is_refused(change: Any, reason: str) -> None:
    with pytest.raises(ChangeRefusedError, match=reason):
        item_text(change)


def test_digits_and_a_byte_order_mark() -> None:
    line = '{"n":' + "9" * 5_000 + ',"f":1.10}'
    assert item_text(line.encode("utf-8-sig")) == line


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"profileId": "p"}, "^/occurredAt: "),
        (item("p", 1) | {"attribute": {}}, "^/attribute: "),
        ({"changes": [item("p", 1)]}, "/changes: "),
        ({"audience": {"id": "a"}}, "^/audience"),
        (item("p", 1, attributes={"n": 1e999}), "number"),
        (item("p", 1, attributes={"s": "\\ud800"}), "surrogate"),
    ],
)
def test_what_the_app_would_put_in_quarantine_is_refused_for_its_reason(written: dict[str, Any], reason: str) -> None:
    text = json.dumps(written).replace("Infinity", "1e999").replace("\\\\ud800", "\\ud800")
    with pytest.raises(ChangeRefusedError, match=reason):
        check_item(text, NOW)


@pytest.mark.parametrize("written", [item("p", 1), {"audience": {"id": "a", "name": "A"}}])
def test_what_the_app_takes_is_not(written: dict[str, Any]) -> None:
    check_item(item_text(written), NOW)
