"""Packs profile changes, one JSON object a line, into queue messages as large as the queue takes."""

import base64
import json
import re
from dataclasses import dataclass

MESSAGE_LIMIT = 65_536
"""Bytes of a queue message. Azurite counts them as UTF-8; Azure's documentation says of the text "in a format that can
be included in an XML request". Counting the escaped text is right by both readings."""

_OPENING, _SEPARATOR, _CLOSING = '{"changes":[', ",", "]}"
_XML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_NOT_IN_XML = re.compile("[\ufffe\uffff]")


class LineRefusedError(Exception):
    """A line that cannot be sent; the message says why."""


@dataclass(frozen=True)
class Message:
    """The text of a queue message, and which lines of the input are in it."""

    text: str
    changes: int
    first_line: int
    last_line: int


@dataclass(frozen=True)
class _Size:
    plain: int
    escaped: int

    def __add__(self, other: "_Size") -> "_Size":
        return _Size(self.plain + other.plain, self.escaped + other.escaped)


def _size(text: str) -> _Size:
    plain = len(text.encode())
    return _Size(plain, plain + sum(text.count(raw) * (len(escape) - 1) for raw, escape in _XML_ESCAPES.items()))


class Batcher:
    """Collects lines; gives back a message each time the next line would not fit any more.

    `batch_bytes` bounds the JSON of a batch. A change larger than that, yet within the queue's limit, goes alone.
    """

    def __init__(self, *, batch_bytes: int, as_base64: bool = False, most_changes: int | None = None) -> None:
        self._batch_bytes = batch_bytes
        self._as_base64 = as_base64
        self._most_changes = most_changes
        self._items: list[str] = []
        self._frame = _size(_OPENING + _CLOSING)
        self._total = self._frame
        self._first_line = 0
        self._last_line = 0

    def add(self, number: int, line: bytes) -> Message | None:
        """Take line `number`; raises `LineRefusedError`, after which the batcher goes on as if it had not been."""
        item = _change(line)
        size = _size(item)
        alone = self._size_in_queue(size)
        if alone > MESSAGE_LIMIT:
            raise LineRefusedError(
                f"too large: {alone:,} bytes in the queue, where a message has at most {MESSAGE_LIMIT:,}"
            )
        grown = self._total + size + (_size(_SEPARATOR) if self._items else _Size(0, 0))
        full = None if self._fits(grown) else self.flush()
        if not self._items:
            self._first_line = number
            grown = self._frame + size
        self._items.append(item)
        self._total = grown
        self._last_line = number
        return full

    def flush(self) -> Message | None:
        """What has gathered, as one message; None if that is nothing."""
        if not self._items:
            return None
        # One change goes bare: the frame around it could be what makes it too large.
        one = len(self._items) == 1
        text = self._items[0] if one else _OPENING + _SEPARATOR.join(self._items) + _CLOSING
        if self._as_base64:
            text = base64.b64encode(text.encode()).decode("ascii")
        message = Message(text, len(self._items), self._first_line, self._last_line)
        self._items = []
        self._total = self._frame
        return message

    def _fits(self, total: _Size) -> bool:
        if self._most_changes is not None and len(self._items) >= self._most_changes:
            return False
        return total.plain <= self._batch_bytes and self._size_in_queue(total) <= MESSAGE_LIMIT

    def _size_in_queue(self, size: _Size) -> int:
        return -(-size.plain // 3) * 4 if self._as_base64 else size.escaped


def _change(line: bytes) -> str:
    """The line as it will be sent: digits, key order and duplicates are left for the app to judge."""
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise LineRefusedError(f"not UTF-8 (byte {error.start + 1})") from error
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise LineRefusedError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise LineRefusedError("not a profile change: nested too deeply") from error
    if not isinstance(value, dict):
        raise LineRefusedError("not a profile change: a JSON object is expected")
    return _NOT_IN_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _refuse_constant(name: str) -> None:
    raise LineRefusedError(f"not JSON: {name} is no JSON number")
