"""Events that are encoded here are those that the SDK makes: byte by byte, and as its decoder reads them."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import product
from typing import Any

import pytest
from azure.eventhub import EventDataBatch
from azure.eventhub._pyamqp._decode import decode_payload
from azure.eventhub._pyamqp._encode import encode_payload

from shared.adapters.event_hubs import amqp_events
from shared.adapters.event_hubs.amqp_events import adder, encoded, event_of, known_batch
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export

DESTINATION = Destination(id="crm", name="CRM", event_hub_name="crm")
EXPORT = Export(DESTINATION, "member-1", 2**50, 3, ("attribute",), 1_700_000_000_123_456, b"{}")
STATIC = {"team": "CRM", "ü" * 40: "x" * 300, "n": "5"}
SHAPES = [
    replace(EXPORT, profile_id=profile_id, body=b"x" * size, traceparent=trace, version=version, reasons=reasons)
    for profile_id, size, trace, version, reasons in product(
        ("p", "member-0000001", "ü" * 127, "a" * 255, "😀" * 64, "a" * 2_000),
        (0, 2, 100, 255, 256, 2_500, 70_000),
        (None, "00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
        (0, 127, 128, 2**62),
        (("audience",), ("attribute", "audience", "identity")),
    )
]
SHAPES += [replace(SHAPES[0], destination=DESTINATION.model_copy(update={"static_properties": STATIC}))]
SHAPES += [replace(each, destination=DESTINATION.model_copy(update={"keyed": True})) for each in SHAPES[::20]]


def batch(limit: int = 1 << 20) -> EventDataBatch:
    return EventDataBatch(max_size_in_bytes=limit)


def inner(of: EventDataBatch) -> Any:
    return of


def test_the_sdk_that_is_installed_is_known() -> None:
    """A new version that keeps its batches otherwise ends here: events go its own way then, more slowly."""
    assert known_batch()


def test_every_shape_is_byte_by_byte_what_the_sdk_makes() -> None:
    for export in SHAPES:
        one = batch()
        one.add(event_of(export))
        assert bytes(inner(one)._message[5][0]) == encoded(export)


def test_the_sdk_reads_all_of_it() -> None:
    for export in SHAPES:
        event: Any = decode_payload(memoryview(encoded(export) or b""))
        assert event.properties.message_id == export.message_id.encode()
        assert event.properties.content_type == b"application/json"
        assert event.application_properties == {
            name.encode(): value.encode() if isinstance(value, str) else value
            for name, value in export.application_properties.items()
        }
        assert [bytes(part) for part in event.data] == [export.body]
        key = export.partition_key
        assert event.message_annotations == (None if key is None else {b"x-opt-partition-key": key.encode()})


def test_a_key_is_the_hash_of_the_profile_id_and_only_where_the_destination_wants_it() -> None:
    keyed = replace(EXPORT, destination=DESTINATION.model_copy(update={"keyed": True}))
    assert keyed.partition_key == sha256(b"member-1").hexdigest()
    assert event_of(keyed).raw_amqp_message.annotations == {b"x-opt-partition-key": keyed.partition_key}
    assert event_of(EXPORT).partition_key is None
    assert keyed.message_id == EXPORT.message_id
    plain, with_key = encoded(EXPORT) or b"", encoded(keyed) or b""
    assert with_key.endswith(plain)
    assert len(with_key) > len(plain)


def test_a_batch_counts_its_bytes_as_the_sdk_counts_them_and_goes_over_the_wire_alike() -> None:
    one, other = batch(), batch()
    for export in SHAPES[:20] + SHAPES[-20:]:
        one.add(event_of(export))
        adder()(other, export)
        assert (one.size_in_bytes, len(one)) == (other.size_in_bytes, len(other))
    wires = [bytearray(), bytearray()]
    for wire, each in zip(wires, (one, other), strict=True):
        encode_payload(wire, inner(each)._message)
    assert wires[0] == wires[1]


def fill(filled: EventDataBatch, put: Callable[[EventDataBatch], None]) -> None:
    while True:
        put(filled)


@pytest.mark.parametrize("size", [10, 1_000])
def test_a_batch_is_full_with_the_same_event(size: int) -> None:
    export = replace(EXPORT, body=b"x" * size)
    counts = []
    for put in (lambda to: to.add(event_of(export)), lambda to: adder()(to, export)):
        filled = batch(20_000)
        with pytest.raises(ValueError, match="size limit"):
            fill(filled, put)
        counts.append((len(filled), filled.size_in_bytes))
    assert counts[0] == counts[1]


def test_a_batch_that_is_not_known_gets_events_the_sdks_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(EventDataBatch):
        def add(self, event_data: Any) -> None:
            added.append(event_data.message_id)

    added: list[str] = []
    monkeypatch.setattr(amqp_events, "EventDataBatch", Other)
    known_batch.cache_clear()
    try:
        assert not known_batch()
        adder()(Other(max_size_in_bytes=1_000), EXPORT)
    finally:
        known_batch.cache_clear()
    assert added[-1] == EXPORT.message_id


@pytest.mark.parametrize("value", [True, 1.5, 2**63])
def test_what_is_not_known_here_is_left_to_the_sdk(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Export, "application_properties", {"odd": value})
    assert encoded(EXPORT) is None
