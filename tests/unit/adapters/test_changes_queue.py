"""How bytes go onto the queue of profile changes: the app must read what was received."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.queues.changes import message_text
from shared.domain.messages.batches import MESSAGE_LIMIT
from shared.domain.messages.message import decode_message
from shared.errors import MessageTooLargeError
from tests.kit.builders import NOW, item


@pytest.mark.parametrize("body", [b"", b'{"a":"\xc3\xbc <&>"}', b"  7 \n", b"!not base64!", "😀\x7f\x85".encode()])
def test_text_goes_as_it_is(body: bytes) -> None:
    assert message_text(body).encode() == body


@pytest.mark.parametrize("body", [b"\xff", b"\x00", b'{"\x0b', '{"a":"\uffff"}'.encode(), b"{\r\n}"])
def test_what_xml_would_lose_goes_as_base64(body: bytes) -> None:
    assert base64.b64decode(message_text(body), validate=True) == body


@given(st.binary(max_size=200))
def test_any_bytes_can_be_got_back(body: bytes) -> None:
    text = message_text(body)
    if text.encode() not in (body, b"".join(body.split())):
        assert base64.b64decode(text, validate=True) == body


@pytest.mark.parametrize("separator", ["\n", "\r\n"])
def test_base64_in_lines_is_not_encoded_once_more(separator: str) -> None:
    encoded = base64.encodebytes(json.dumps(item("p", 1, attributes={"x": "y" * 100})).encode()).decode()
    text = message_text(encoded.replace("\n", separator).encode())
    assert len(decode_message(text.encode(), NOW).changes) == 1


def test_the_largest() -> None:
    assert len(message_text(b"x" * MESSAGE_LIMIT)) == MESSAGE_LIMIT
    assert len(message_text(b"\xff" * (MESSAGE_LIMIT * 3 // 4))) == MESSAGE_LIMIT
    assert base64.b64decode(message_text(b"<" * 40_000)) == b"<" * 40_000
    for body in (b"x" * (MESSAGE_LIMIT + 1), b"\xff" * (MESSAGE_LIMIT * 3 // 4 + 1)):
        with pytest.raises(MessageTooLargeError, match="do not fit a queue message of 65,536"):
            message_text(body)
