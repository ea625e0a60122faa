"""The Event Hubs stand-in, met by the unmodified Azure SDK: what is sent is what is read."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient
from azure.eventhub.exceptions import ConnectError, EventDataSendError

from tests.broker.clients import (
    IMPATIENT,
    PATIENCE,
    SOCKETS_ARE_LEFT,
    Broker,
    bodies,
    last_sequence_numbers,
    producing,
    raised_by,
    read,
    running_broker,
    send,
    until,
)

pytestmark = SOCKETS_ARE_LEFT


async def test_an_event_is_read_back_with_all_that_was_set_on_it(broker: Broker, hub: str) -> None:
    event = EventData('{"a":1}')
    event.properties = {"text": "é", "int": -5, "large": 2**31 - 1, "float": 1.5, "flag": True, "bytes": b"\x00\xff"}
    event.message_id = "export-1"
    event.correlation_id = "run-7"
    event.content_type = "application/json"
    event.raw_amqp_message.annotations = {"x-opt-mine": "kept", "x-opt-offset": "forged"}
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with producing(broker.connection_string(hub)) as producer:
        await producer.send_batch([event, EventData(b"\x00\xff")], timeout=5)
        await producer.send_event(EventData("alone"), timeout=5)
    first, second, alone = await read(broker.connection_string(hub), "0", 3)
    assert first.body_as_json() == {"a": 1}
    assert first.properties == {
        b"text": "é".encode(),
        b"int": -5,
        b"large": 2**31 - 1,
        b"float": 1.5,
        b"flag": True,
        b"bytes": b"\x00\xff",
    }
    assert (first.message_id, first.correlation_id, first.content_type) == ("export-1", "run-7", "application/json")
    body: Any = second.body
    assert b"".join(body) == b"\x00\xff"
    assert (second.message_id, second.properties, second.partition_key) == (None, {}, None)
    assert alone.body_as_str() == "alone"
    assert first.system_properties[b"x-opt-mine"] == b"kept"
    assert [event.sequence_number for event in (first, second, alone)] == [0, 1, 2]
    offsets = [int(event.offset or "") for event in (first, second, alone)]
    assert offsets == sorted(set(offsets))
    assert offsets[0] == 0
    assert first.enqueued_time is not None
    assert before < first.enqueued_time < datetime.now(UTC) + timedelta(seconds=1)


async def test_a_partition_key_always_leads_to_the_same_partition(broker: Broker, wide_hub: str) -> None:
    connection = broker.connection_string(wide_hub)
    keys = [f"profile-{number}" for number in range(6)]
    async with producing(connection) as producer:
        for turn in ("first", "second"):
            for key in keys:
                await send(producer, f"{key} {turn}", partition_key=key)
        counts = [number + 1 for number in await last_sequence_numbers(producer)]
    used = {partition: count for partition, count in zip("0123", counts, strict=True) if count}
    stored = await asyncio.gather(*(read(connection, partition, count) for partition, count in used.items()))
    assert len(used) > 1
    assert all(count % 2 == 0 for count in counts)
    for events in stored:
        turns = Counter((event.partition_key or b"").decode() for event in events)
        assert set(turns.values()) == {2}
        assert all(event.body_as_str().startswith((event.partition_key or b"?").decode()) for event in events)


async def test_without_a_key_each_partition_gets_its_turn(broker: Broker, wide_hub: str) -> None:
    async with producing(broker.connection_string(wide_hub)) as producer:
        for _ in range(8):
            await send(producer, "x")
        assert await last_sequence_numbers(producer) == [1, 1, 1, 1]


def test_the_synchronous_clients_send_and_receive(broker: Broker, hub: str) -> None:
    connection = broker.connection_string(hub)
    with EventHubProducerClient.from_connection_string(connection, **IMPATIENT) as producer:
        producer.send_batch([EventData("one"), EventData("two")], timeout=5)
        producer.send_event(EventData("three"), timeout=5)
    received: list[EventData] = []
    consumer = EventHubConsumerClient.from_connection_string(connection, "$Default", **IMPATIENT)
    deadline = time.monotonic() + PATIENCE

    def on_event(_: object, event: EventData | None) -> None:
        if event is not None:
            received.append(event)
        if len(received) == 3 or time.monotonic() > deadline:
            consumer.close()

    consumer.receive(on_event, partition_id="0", starting_position="-1", max_wait_time=1)
    assert bodies(received) == ["one", "two", "three"]


async def test_one_receiver_gets_more_events_than_a_session_window_holds(broker: Broker, hub: str) -> None:
    connection = broker.connection_string(hub)
    async with producing(connection) as producer:
        for start in range(0, 6000, 500):
            await send(producer, *map(str, range(start, start + 500)))
        await send(producer, "x" * 1_000_000)
    received = await read(connection, "0", 6001, prefetch=3000)
    assert bodies(received[:-1]) == [str(number) for number in range(6000)]
    assert received[-1].body_as_str() == "x" * 1_000_000
    assert [event.sequence_number for event in received] == list(range(6001))


# Where reading starts


async def test_reading_starts_where_it_was_asked_to_whoever_else_reads(broker: Broker, hub: str) -> None:
    connection = broker.connection_string(hub)
    async with producing(connection) as producer:
        for body in "abcdef":
            await send(producer, body)
        everything = await read(connection, "0", 6)
        while everything[-1].enqueued_time == everything[2].enqueued_time:  # all in one millisecond: none is after it
            await send(producer, "one more")
            everything = await read(connection, "0", len(everything) + 1)

    async def check(field: str, inclusive: bool) -> None:
        def position(event: EventData) -> Any:
            return int(event.offset or "") if field == "offset" else getattr(event, field)

        limit = position(everything[2])
        expected = [
            event for event in everything if position(event) > limit or (inclusive and position(event) == limit)
        ]
        start = getattr(everything[2], field)
        received = await read(
            connection, "0", len(expected), starting_position=start, starting_position_inclusive=inclusive
        )
        assert bodies(received) == bodies(expected), (field, inclusive)

    fields = ("sequence_number", "offset", "enqueued_time")
    await asyncio.gather(*(check(field, inclusive) for field in fields for inclusive in (True, False)))


async def test_latest_means_only_what_comes_after(broker: Broker, hub: str) -> None:
    connection = broker.connection_string(hub)
    async with producing(connection) as producer:
        await send(producer, "old")
        links = broker.control.stats().hubs[hub].links_open
        reading = asyncio.create_task(read(connection, "0", 1, starting_position="@latest"))
        await until(lambda: broker.control.stats().hubs[hub].links_open == links + 1)
        await send(producer, "new")
        assert bodies(await reading) == ["new"]


async def test_the_oldest_events_are_forgotten(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker.log", "--retain", "10", "--hub", "crm:1") as broker:
        connection = broker.connection_string("crm")
        async with producing(connection) as producer:
            for start in range(0, 25, 5):
                await send(producer, *map(str, range(start, start + 5)))
            properties = await producer.get_partition_properties("0")
        oldest, forgotten = await asyncio.gather(
            read(connection, "0", 10), read(connection, "0", 10, starting_position=3)
        )
    assert (properties["beginning_sequence_number"], properties["last_enqueued_sequence_number"]) == (15, 24)
    assert bodies(oldest) == bodies(forgotten) == [str(number) for number in range(15, 25)]


# What a hub tells about itself


async def test_properties_of_hub_and_partitions(broker: Broker, hub: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with producing(broker.connection_string(hub)) as producer:
        properties, empty = await asyncio.gather(
            producer.get_eventhub_properties(), producer.get_partition_properties("0")
        )
        await send(producer, "a", "b")
        filled, unknown = await asyncio.gather(
            producer.get_partition_properties("0"), raised_by(producer.get_partition_properties("1"))
        )
    assert (properties["eventhub_name"], properties["partition_ids"]) == (hub, ["0"])
    assert before < properties["created_at"] < filled["last_enqueued_time_utc"] < before + timedelta(seconds=PATIENCE)
    assert (empty["is_empty"], empty["last_enqueued_sequence_number"], empty["last_enqueued_offset"]) == (
        True,
        -1,
        "-1",
    )
    assert (filled["is_empty"], filled["beginning_sequence_number"]) == (False, 0)
    assert filled["last_enqueued_sequence_number"] == 1
    assert int(filled["last_enqueued_offset"]) > 0
    assert isinstance(unknown, ConnectError)
    assert "Status code: 400" in str(unknown)


# How large an event may be


async def test_the_largest_event_is_announced_and_enforced(broker: Broker, hub: str) -> None:
    async with producing(broker.connection_string(hub)) as producer:
        batch = await producer.create_batch()
        assert batch.max_size_in_bytes == 1_048_576
        batch.add(EventData("x" * 1_000_000))
        with pytest.raises(ValueError, match="limit"):
            batch.add(EventData("x" * 100_000))
        await producer.send_batch(batch, timeout=5)
        with pytest.raises(EventDataSendError) as refused:
            await producer.send_event(EventData("x" * 1_100_000), timeout=5)
    assert refused.value.error == "link:message-size-exceeded"
    assert broker.control.stats().hubs[hub].events == 1
