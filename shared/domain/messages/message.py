"""From the bytes of one queue message to profile changes and audience items, each item judged alone."""

import base64
from dataclasses import dataclass, field
from functools import cached_property

from shared.domain.configuration.audience_item import AudienceChange, is_audience_item, parse_audience
from shared.domain.jsonvalue import InvalidJsonError, canonical_json, decode_utf8, parse_json
from shared.domain.messages.batch_sources import batch_sources
from shared.domain.messages.resync_item import MessageResync, is_resync_item, parse_resync
from shared.domain.profile.change import InvalidChangeError, ProfileChange, parse_change
from shared.domain.trace_context import traceparent_of
from shared.errors import FailureCode

_EXPECTED = "expected JSON that starts with { or [, or base64 of it"


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item that cannot be understood: its bytes as received and why. `index` is None for a whole message."""

    index: int | None
    raw: bytes
    reason: str
    profile_id: str | None = None
    code: FailureCode = FailureCode.INVALID_CHANGE


@dataclass
class DecodedMessage:
    """`changes`, `audiences` and `resyncs` are (index in the message, item); with `rejected` they are all that it held.

    `traceparent` names the trace that it belongs to, if it names one.
    """

    body: bytes
    text: str = ""
    changes: list[tuple[int, ProfileChange]] = field(default_factory=list)
    audiences: list[tuple[int, AudienceChange]] = field(default_factory=list)
    resyncs: list[tuple[int, MessageResync]] = field(default_factory=list)
    rejected: list[RejectedItem] = field(default_factory=list)
    traceparent: str | None = None

    def source(self, index: int) -> bytes:
        """The item at `index` as it was received: the whole body where the message is no batch."""
        return self._sources[index].encode() if index < len(self._sources) else self.body

    @cached_property
    def _sources(self) -> list[str]:
        return batch_sources(self.text) or []


def decode_message(body: bytes, now: int) -> DecodedMessage:
    """Decode a queue message: JSON, or base64 of it; one item, an array, or `{"changes": […]}`. Never raises."""
    try:
        decoded = DecodedMessage(body, _text_of(body))
        items, decoded.traceparent = _items_of(decoded.text)
    except InvalidJsonError as error:
        return DecodedMessage(body, rejected=[RejectedItem(None, body, str(error), code=FailureCode.UNREADABLE)])
    may_hold_lone_surrogates = "\\ud" in decoded.text or "\\uD" in decoded.text
    for index, item in enumerate(items):
        try:
            if isinstance(item, InvalidJsonError):
                raise InvalidChangeError([str(item)])
            if may_hold_lone_surrogates:
                refuse_lone_surrogates(item)
            if is_audience_item(item):
                decoded.audiences.append((index, parse_audience(item, now)))
            elif is_resync_item(item):
                decoded.resyncs.append((index, parse_resync(item)))
            else:
                decoded.changes.append((index, parse_change(item, now)))
        except InvalidChangeError as error:
            reason = f"item {index}: {error}"
            rejected = RejectedItem(index, decoded.source(index), reason, _profile_id_of(item), _code_of(item))
            decoded.rejected.append(rejected)
    return decoded


def _text_of(body: bytes) -> str:
    text = decode_utf8(body).strip()
    if text.startswith(("{", "[")):
        return text
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise InvalidJsonError(_EXPECTED) from None
    if not decoded.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"[")):
        raise InvalidJsonError(_EXPECTED)
    return decode_utf8(decoded).strip()


def _items_of(text: str) -> tuple[list[object], str | None]:
    """The items of the message, one that is not JSON as its InvalidJsonError, and the trace that the message names."""
    try:
        document = parse_json(text)
    except InvalidJsonError:
        sources = batch_sources(text)
        if sources is None:
            raise
        return [_parse_or_error(source) for source in sources], None
    if isinstance(document, list):
        return document, None
    if "changes" in document and "profileId" not in document:
        changes = document["changes"]
        if not isinstance(changes, list):
            raise InvalidJsonError("/changes: expected an array")
        return changes, traceparent_of(document.get("traceparent"))
    return [document], None


def _parse_or_error(source: str) -> object:
    try:
        return parse_json(source)
    except InvalidJsonError as error:
        return error


def refuse_lone_surrogates(item: object) -> None:
    """Raises InvalidChangeError where `item` holds text that cannot be encoded."""
    try:
        canonical_json(item).encode()
    except UnicodeEncodeError:
        raise InvalidChangeError(["expected Unicode text, got half of a surrogate pair"]) from None
    except RecursionError:
        return  # parse_change refuses the depth


def _code_of(rejected: object) -> FailureCode:
    if isinstance(rejected, InvalidJsonError):
        return FailureCode.UNREADABLE
    if is_audience_item(rejected):
        return FailureCode.INVALID_AUDIENCE
    return FailureCode.INVALID_RESYNC if is_resync_item(rejected) else FailureCode.INVALID_CHANGE


def _profile_id_of(item: object) -> str | None:
    """The profile that a rejected item is about, if it says so in a way that can be used."""
    profile_id = item.get("profileId") if isinstance(item, dict) else None
    if not isinstance(profile_id, str):
        return None
    try:
        profile_id.encode()
    except UnicodeEncodeError:
        return None
    return profile_id
