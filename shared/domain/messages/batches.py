"""Packs profile changes into queue messages as large as the queue takes."""

import base64
from dataclasses import dataclass

from shared.errors import ChangeRefusedError

MESSAGE_LIMIT = 65_536
"""Bytes of a queue message. Azurite counts them as UTF-8; Azure's documentation says of the text "in a format that can
be included in an XML request". Counting the escaped text is right by both readings."""

_OPENING, _SEPARATOR, _CLOSING = '{"changes":[', ",", "]}"
_XML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


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


class MessageBatches:
    """Collects changes; gives back a message each time the next one would not fit any more.

    `batch_bytes` bounds the JSON of a batch. A change larger than that, yet within the queue's limit, goes alone.
    """

    def __init__(
        self, *, batch_bytes: int = MESSAGE_LIMIT, as_base64: bool = False, most_changes: int | None = None
    ) -> None:
        self._batch_bytes = batch_bytes
        self._as_base64 = as_base64
        self._most_changes = most_changes
        self._items: list[str] = []
        self._frame = _size(_OPENING + _CLOSING)
        self._total = self._frame
        self._first_line = 0
        self._last_line = 0

    def add(self, number: int, item: str) -> Message | None:
        """Take the change of line `number`, JSON text; the message that was full before it, if one was.

        Raises ChangeRefusedError, after which the batches go on as if it had not been.
        """
        size = _size(item)
        alone = self._size_in_queue(size)
        if alone > MESSAGE_LIMIT:
            raise ChangeRefusedError(
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

    @property
    def first_line(self) -> int | None:
        """Of what has gathered; None if that is nothing."""
        return self._first_line if self._items else None

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
