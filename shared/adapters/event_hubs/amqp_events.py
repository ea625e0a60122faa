"""An export as an AMQP 1.0 message in a batch, encoded once.

The SDK's batch encodes each event twice, by way of a dozen objects, once to learn its size and once to keep it. What is
done here instead puts the same bytes into the same places of its batch, some of which the SDK does not promise. So they
are compared once in each process, and where they differ, or somebody traces the SDK, events go the SDK's own way.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from azure.core.settings import settings
from azure.eventhub import EventData, EventDataBatch

from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export

_ANNOTATIONS = b"\x00\x53\x72"
_PROPERTIES, _APPLICATION_PROPERTIES, _DATA = b"\x00\x53\x73", b"\x00\x53\x74", b"\x00\x53\x75"
_NULL = b"\x40"
_PARTITION_KEY = b"x-opt-partition-key"
_PARTITION_KEY_SYMBOL = b"\xa3%c%b" % (len(_PARTITION_KEY), _PARTITION_KEY)
_CONTENT_TYPE = b"\xa3\x10application/json"
_NUMBER_OF_PROPERTIES = 13
_COSTS = (5, 8)
"""What a part of a batch takes besides its own bytes: one of up to 255 of them, and a longer one."""
_BATCH = 1 << 20


def adder() -> Callable[[EventDataBatch, Export], None]:
    """What adds an export to a batch, for as long as nobody turns the SDK's tracing on or off.

    It raises ValueError where the event does not fit any more, or cannot be encoded.
    """
    return _add if known_batch() and settings.tracing_implementation() is None else _add_by_sdk


def _add(batch: EventDataBatch, export: Export) -> None:
    event = encoded(export)
    if event is None:
        _add_by_sdk(batch, export)
    else:
        _add_encoded(batch, event)


def _add_by_sdk(batch: EventDataBatch, export: Export) -> None:
    batch.add(event_of(export))


def event_of(export: Export) -> EventData:
    """The names of properties are bytes: by those the SDK's tracing looks whether an event has a trace of its own."""
    event = EventData(export.body)
    event.content_type = "application/json"
    event.message_id = export.message_id
    event.properties = {
        name.encode(): _amqp_long(value) if isinstance(value, int) else value
        for name, value in export.application_properties.items()
    }
    if (key := export.partition_key) is not None:
        event.raw_amqp_message.annotations = {_PARTITION_KEY: key}
    return event


def encoded(export: Export) -> bytes | None:
    """The bytes that the SDK makes of `event_of`; None for an export that only the SDK encodes."""
    fields = export.application_properties
    pairs = []
    for name, value in fields.items():
        if type(value) is int and -(2**63) <= value < 2**63:
            pairs += [_string(name), _long(value)]
        elif type(value) is str:
            pairs += [_string(name), _string(value)]
        else:
            return None
    properties = b"".join((_string(export.message_id), _NULL * 5, _CONTENT_TYPE, _NULL * 6))
    return b"".join(
        (
            _annotations(export.partition_key),
            _PROPERTIES,
            _compound(b"\xc0", b"\xd0", properties, _NUMBER_OF_PROPERTIES),
            _APPLICATION_PROPERTIES,
            _compound(b"\xc1", b"\xd1", b"".join(pairs), 2 * len(fields)),
            _DATA,
            _sized(b"\xa0", b"\xb0", export.body),
        )
    )


def _annotations(partition_key: str | None) -> bytes:
    if partition_key is None:
        return b""
    return _ANNOTATIONS + _compound(b"\xc1", b"\xd1", _PARTITION_KEY_SYMBOL + _string(partition_key), 2)


@cache
def known_batch() -> bool:
    """Whether the SDK that is installed keeps in a batch what is put there here."""
    one, other = EventDataBatch(max_size_in_bytes=_BATCH), EventDataBatch(max_size_in_bytes=_BATCH)
    try:
        for size, keyed in ((2, False), (300, True)):
            destination = Destination(id="d", name="d", event_hub_name="d", keyed=keyed)
            export = Export(destination, "p" * size, 2**50, 1, ("audience",), 2**50, b"{" + b" " * size + b"}")
            one.add(event_of(export))
            _add_encoded(other, encoded(export) or b"")
        return _parts(one) == _parts(other)
    except Exception:  # whatever it is, the SDK knows its batch
        return False


def _parts(batch: Any) -> tuple[object, ...]:
    return [bytes(each) for each in batch._message[5]], batch.size_in_bytes, len(batch), list(batch._message[:5])


def _add_encoded(batch: EventDataBatch, event: bytes) -> None:
    inner: Any = batch
    size = inner._size + len(event) + _COSTS[len(event) > 255]
    if size > batch.max_size_in_bytes:
        raise ValueError(f"EventDataBatch has reached its size limit: {batch.max_size_in_bytes}")
    inner._message[5].append(event)
    inner._size = size
    inner._count += 1


def _amqp_long(value: int) -> dict[str, str | int]:
    """An AMQP long (64 bits): the SDK would encode a bare integer in 32 bits, or fail where it does not fit."""
    return {"TYPE": "LONG", "VALUE": value}


def _long(value: int) -> bytes:
    if -128 <= value < 128:
        return b"\x55" + value.to_bytes(1, "big", signed=True)
    return b"\x81" + value.to_bytes(8, "big", signed=True)


def _string(text: str) -> bytes:
    return _sized(b"\xa1", b"\xb1", text.encode())


def _sized(short: bytes, long: bytes, data: bytes) -> bytes:
    size = len(data)
    return short + size.to_bytes(1, "big") + data if size < 256 else long + size.to_bytes(4, "big") + data


def _compound(short: bytes, long: bytes, data: bytes, count: int) -> bytes:
    size = len(data) + 1
    if size < 256:
        return b"%b%c%c%b" % (short, size, count, data)
    return long + (size + 3).to_bytes(4, "big") + count.to_bytes(4, "big") + data
