"""Packs profile changes, one JSON object a line, into queue messages as large as the queue takes."""

import json
import re

from shared.domain.message_batches import MESSAGE_LIMIT, ChangeTooLargeError, Message, MessageBatches

__all__ = ["MESSAGE_LIMIT", "Batcher", "LineRefusedError", "Message"]

_NOT_IN_XML = re.compile("[\ufffe\uffff]")


class LineRefusedError(Exception):
    """A line that cannot be sent; the message says why."""


class Batcher:
    """Collects lines; gives back a message each time the next line would not fit any more."""

    def __init__(self, *, batch_bytes: int, as_base64: bool = False, most_changes: int | None = None) -> None:
        self._batches = MessageBatches(batch_bytes=batch_bytes, as_base64=as_base64, most_changes=most_changes)

    def add(self, number: int, line: bytes) -> Message | None:
        """Take line `number`; raises `LineRefusedError`, after which the batcher goes on as if it had not been."""
        try:
            return self._batches.add(number, _change(line))
        except ChangeTooLargeError as error:
            raise LineRefusedError(str(error)) from error

    def flush(self) -> Message | None:
        """What has gathered, as one message; None if that is nothing."""
        return self._batches.flush()


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
