"""From the bytes of one queue message to profile changes, each item judged alone."""

import base64
import re
from dataclasses import dataclass, field

from shared.domain.change import InvalidChangeError, ProfileChange, parse_change
from shared.domain.jsonvalue import InvalidJsonError, canonical_json, parse_json


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item that cannot be understood: its bytes as received and why. `index` is None for a whole message."""

    index: int | None
    raw: bytes
    reason: str
    profile_id: str | None = None


@dataclass(slots=True)
class DecodedMessage:
    """`changes` are (index in the message, change); together with `rejected` they are all that the message held."""

    body: bytes
    changes: list[tuple[int, ProfileChange]] = field(default_factory=list)
    rejected: list[RejectedItem] = field(default_factory=list)

    def source(self, index: int) -> bytes:
        """The item at `index` as it was received: the whole body where the message is no batch."""
        sources = _split(_text_of(self.body))
        return sources[index].encode() if index < len(sources) else self.body


def decode_message(body: bytes, now: int) -> DecodedMessage:
    """Decode a queue message: JSON, or base64 of it; one change, an array, or `{"changes": […]}`. Never raises."""
    try:
        text = _text_of(body)
        items = _items_of(text)
    except (InvalidJsonError, UnicodeDecodeError) as error:
        reason = "expected UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        return DecodedMessage(body, rejected=[RejectedItem(None, body, reason)])
    decoded = DecodedMessage(body)
    may_hold_lone_surrogates = "\\ud" in text or "\\uD" in text
    for index, item in enumerate(items):
        try:
            if isinstance(item, InvalidJsonError):
                raise InvalidChangeError([str(item)])
            if may_hold_lone_surrogates:
                _refuse_lone_surrogates(item)
            decoded.changes.append((index, parse_change(item, now)))
        except InvalidChangeError as error:
            reason = f"item {index}: {error}"
            decoded.rejected.append(RejectedItem(index, decoded.source(index), reason, _profile_id_of(item)))
    return decoded


def _text_of(body: bytes) -> str:
    text = body.decode("utf-8-sig").strip()
    if text.startswith(("{", "[")):
        return text
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        decoded = b""
    text = decoded.decode("utf-8-sig").strip()
    if not text.startswith(("{", "[")):
        raise InvalidJsonError("expected JSON that starts with { or [, or base64 of it")
    return text


def _items_of(text: str) -> list[object]:
    """The items of the message; one that is not JSON stands as its InvalidJsonError."""
    try:
        document = parse_json(text)
    except InvalidJsonError:
        sources = _split(text)
        if not sources:
            raise
        return [_parse_or_error(source) for source in sources]
    if isinstance(document, list):
        return document
    if "changes" in document and "profileId" not in document:
        changes = document["changes"]
        if not isinstance(changes, list):
            raise InvalidJsonError("/changes: expected an array")
        return changes
    return [document]


def _parse_or_error(source: str) -> object:
    try:
        return parse_json(source)
    except InvalidJsonError as error:
        return error


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)


def _split(text: str) -> list[str]:
    """The source of each item of a batch, found by brackets alone; empty where `text` is no batch.

    The parser gives up on a whole message for one item that is no JSON or nested too deeply for it. Its neighbours
    must go on all the same, and a rejected item is kept as it was received.
    """
    sources: list[str] = []
    depth, start, items_depth = 0, 0, 1 if text.startswith("[") else 0
    last_string, after_colon = "", False
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in "{[":
            depth += 1
            if (items_depth == 1 and depth == 1) or (
                not items_depth and depth == 2 and mark == "[" and after_colon and last_string == '"changes"'
            ):
                items_depth, start = depth, token.end()
        elif mark in "}]":
            if items_depth and depth == items_depth:
                whole = text[token.end() :].strip() == ("" if items_depth == 1 else "}")
                return [*sources, text[start : token.start()].strip()] if whole else []
            depth -= 1
        elif mark == "," and items_depth and depth == items_depth:
            sources.append(text[start : token.start()].strip())
            start = token.end()
        after_colon = mark == ":"
        if mark.startswith('"') and depth == 1:
            last_string = mark
    return []


def _refuse_lone_surrogates(item: object) -> None:
    try:
        canonical_json(item).encode()
    except UnicodeEncodeError:
        raise InvalidChangeError(["expected Unicode text, got half of a surrogate pair"]) from None
    except RecursionError:
        return  # parse_change refuses the depth


def _profile_id_of(item: object) -> str | None:
    profile_id = item.get("profileId") if isinstance(item, dict) else None
    return profile_id if isinstance(profile_id, str) else None
