"""What upstream wants to send, as the text of an item that a queue message carries unchanged."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from shared.domain.messages.message import decode_message
from shared.errors import ChangeRefusedError

# Messages travel as XML, which has no such characters, and whose readers turn a carriage return into a line feed. JSON
# has the first in strings alone, where they can be escaped, and the other between its tokens alone.
_NOT_IN_XML = re.compile("[\r\ufffe\uffff]")


def item_text(change: Mapping[str, Any] | bytes) -> str:
    """`change`, an object or one as JSON in UTF-8, as JSON text. Digits, key order and duplicates of bytes are left as
    they are, for the app to judge.

    Raises ChangeRefusedError.
    """
    text = _text_of_bytes(change) if isinstance(change, bytes) else _text_of_object(change)
    return _NOT_IN_XML.sub(lambda match: " " if match[0] == "\r" else f"\\u{ord(match[0]):04x}", text)


def check_item(text: str, now: int) -> None:
    """Raises ChangeRefusedError where the app, whose clock is at `now`, would put the item in quarantine."""
    for rejected in decode_message(f"[{text}]".encode(), now).rejected:
        raise ChangeRefusedError(rejected.reason.removeprefix("item 0: "))


def _text_of_bytes(line: bytes) -> str:
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ChangeRefusedError(f"not UTF-8 (byte {error.start + 1})") from None
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ChangeRefusedError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ChangeRefusedError("not a profile change: nested too deeply") from None
    if not isinstance(value, dict):
        raise ChangeRefusedError("not a profile change: a JSON object is expected")
    return text


def _text_of_object(change: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(change), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        raise ChangeRefusedError("expected Unicode text, got half of a surrogate pair") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ChangeRefusedError(f"not JSON: {error}") from None
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ChangeRefusedError(f"not JSON: {name} is no JSON number")
