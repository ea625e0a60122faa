"""Who may read from the Event Hubs stand-in beside whom, and from where: consumer groups, owner levels, positions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub import EventHubConsumerClient as SyncConsumer
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext
from azure.eventhub.exceptions import EventHubError

from local.broker.control import BrokerControlError
from tests.broker.clients import (
    IMPATIENT,
    PATIENCE,
    SOCKETS_ARE_LEFT,
    Broker,
    bodies,
    producing,
    read,
    send,
)

pytestmark = SOCKETS_ARE_LEFT


class Reader:
    """One that stays: what it got, and the first error that it met."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.failed = asyncio.Event()
        self.error: Exception | None = None
        self.events: list[EventData] = []

    async def on_event(self, _: PartitionContext, event: EventData | None) -> None:
        if event is not None:
            self.events.append(event)
        self.began.set()

    async def on_error(self, _: PartitionContext | None, error: Exception) -> None:
        self.error = self.error or error
        self.failed.set()


@asynccontextmanager
async def reading(connection: str, group: str = "$Default", **options: Any) -> AsyncIterator[Reader]:
    """Of partition 0, from the beginning: it reads, or has failed."""
    reader = Reader()
    client = EventHubConsumerClient.from_connection_string(connection, group, **IMPATIENT)
    async with client:
        receiving = asyncio.create_task(
            client.receive(
                reader.on_event, partition_id="0", on_error=reader.on_error, starting_position="-1", **options
            )
        )
        first = [asyncio.create_task(each.wait()) for each in (reader.began, reader.failed)]
        done, waiting = await asyncio.wait(first, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert done, "it neither reads nor fails"
        for task in waiting:
            task.cancel()
        yield reader
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


@pytest.fixture
async def filled(broker: Broker, hub: str) -> str:
    """The connection string of a hub with one event."""
    connection = broker.connection_string(hub)
    async with producing(connection) as producer:
        await send(producer, "one")
    return connection


async def refusal(connection: str, group: str = "$Default", **options: Any) -> Exception:
    """What a reader of partition 0 is told. By the synchronous client: the other one tries again in silence."""
    errors: list[Exception] = []
    client = SyncConsumer.from_connection_string(connection, group, **IMPATIENT)

    def on_error(_: object, error: Exception) -> None:
        errors.append(error)
        client.close()

    def on_event(_: object, event: object) -> None:
        on_error(None, AssertionError(f"it was let in: {event}"))

    options.setdefault("starting_position", "-1")
    receiving = asyncio.to_thread(client.receive, on_event, partition_id="0", on_error=on_error, **options)
    await asyncio.wait_for(receiving, PATIENCE)
    return errors[0]


def error_of(error: BaseException | None) -> str | None:
    assert isinstance(error, EventHubError)
    return error.error


# Consumer groups


async def test_groups_that_were_declared_are_there_and_no_others(broker: Broker, hub: str, filled: str) -> None:
    broker.control.create_hub(hub, 1, consumer_groups=["analytics"])
    groups = ("$Default", "$default", "loader", "ANALYTICS")
    read_by = await asyncio.gather(*(read(filled, "0", 1, consumer_group=group) for group in groups))
    assert [bodies(events) for events in read_by] == [["one"]] * len(groups)
    refused = await refusal(filled, "nobody")
    assert "could not be found. The hub's consumer groups are $Default, loader, analytics" in str(refused)
    assert error_of(refused) == "not-found"


@pytest.mark.parametrize("groups", [["a/b"], ["x" * 51], ["-"]])
def test_a_group_that_cannot_be_is_refused(broker: Broker, hub: str, groups: list[str]) -> None:
    with pytest.raises(BrokerControlError, match="no list of consumer groups") as refused:
        broker.control.create_hub(hub, 1, consumer_groups=groups)
    assert refused.value.status == 400


async def test_five_readers_share_a_group_and_partition(filled: str) -> None:
    async with AsyncExitStack() as stack:
        readers = await asyncio.gather(*(stack.enter_async_context(reading(filled)) for _ in range(5)))
        assert [reader.error for reader in readers] == [None] * 5
        sixth = await refusal(filled)
        assert "maximum number of allowed receivers per partition in a consumer group which is 5" in str(sixth)
        assert error_of(sixth) == "resource-limit-exceeded"
        async with reading(filled, "loader") as elsewhere:
            assert elsewhere.error is None


# Owner levels


async def test_a_higher_level_puts_out_whoever_reads(filled: str) -> None:
    async with reading(filled) as none, reading(filled, "loader") as another_group:
        async with reading(filled, owner_level=0) as zero:
            await asyncio.wait_for(none.failed.wait(), PATIENCE)
            assert error_of(none.error) == "link:stolen"
            assert "is created hence current receiver" in str(none.error)
            async with reading(filled, owner_level=1) as one:
                await asyncio.wait_for(zero.failed.wait(), PATIENCE)
                assert error_of(zero.error) == "link:stolen"
                assert one.error is None
        assert another_group.error is None


async def test_a_reader_without_a_level_or_of_a_lower_one_is_refused(filled: str) -> None:
    async with reading(filled, owner_level=1) as holder:
        async with reading(filled) as none:
            assert "is created with epoch of '1', and so non-epoch receiver is not allowed" in str(none.error)
        async with reading(filled, owner_level=0) as lower:
            assert "with a higher epoch '1' already exists" in str(lower.error)
        assert (holder.error, error_of(none.error), error_of(lower.error)) == (None, "link:stolen", "link:stolen")


# Positions


async def test_a_reader_that_asks_hears_of_the_partitions_last_event(broker: Broker, hub: str) -> None:
    connection = broker.connection_string(hub)
    async with producing(connection) as producer:
        await send(producer, "one", "two")
        last = await producer.get_partition_properties("0")
    told: list[dict[str, Any]] = []

    async def on_event(context: PartitionContext, event: EventData | None) -> None:
        told.append(dict(context.last_enqueued_event_properties or {}))
        if len(told) == 2:
            enough.set()

    enough = asyncio.Event()
    client = EventHubConsumerClient.from_connection_string(connection, "$Default", **IMPATIENT)
    async with asyncio.timeout(PATIENCE), client:
        position: dict[str, Any] = {"starting_position": "-1", "track_last_enqueued_event_properties": True}
        receiving = asyncio.create_task(client.receive(on_event, partition_id="0", **position))
        await enough.wait()
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
    for properties in told:
        assert properties["sequence_number"] == 1
        assert properties["offset"] == last["last_enqueued_offset"]
        assert properties["enqueued_time"] == last["last_enqueued_time_utc"]
        assert properties["retrieval_time"] >= properties["enqueued_time"]


@pytest.mark.parametrize("field", ["offset", "sequence_number"])
async def test_a_checkpoint_of_the_hub_before_is_no_position(broker: Broker, hub: str, field: str) -> None:
    """Taken, it would skip the events of the hub that was made anew, in silence."""
    connection = broker.connection_string(hub)
    async with producing(connection) as producer:
        await send(producer, "a", "b", "c")
    checkpoint = getattr((await read(connection, "0", 3))[-1], field)
    broker.control.delete_hub(hub)
    broker.control.create_hub(hub, 1)
    async with producing(connection) as producer:
        await send(producer, "new")
    name = field.replace("_", " ")
    refused = await refusal(connection, starting_position=checkpoint)
    assert f"The supplied {name} '{checkpoint}' is invalid. The last {name} in the system is '0'" in str(refused)
    assert bodies(await read(connection, "0", 1)) == ["new"]


async def test_the_offsets_of_a_geo_replicated_hub_are_no_numbers(broker: Broker, hub: str) -> None:
    name = f"{hub}-replicated"
    broker.control.create_hub(name, 1, geo_replicated=True)
    connection = broker.connection_string(name)
    async with producing(connection) as producer:
        await send(producer, "one", "two")
        last = (await producer.get_partition_properties("0"))["last_enqueued_offset"]
    first, second = await read(connection, "0", 2)
    assert first.offset
    assert not first.offset.isdigit()
    assert second.offset == last
    assert bodies(await read(connection, "0", 1, starting_position=first.offset)) == ["two"]
    assert bodies(await read(connection, "0", 1, starting_position=first.sequence_number)) == ["two"]
    assert "com.microsoft:georeplication:invalid-offset" in str(await refusal(connection, starting_position="0"))
    with pytest.raises(BrokerControlError, match='keeps "geoReplicated" as it was created'):
        broker.control.create_hub(name, 1)
    broker.control.delete_hub(name)
