"""At the limits of a queue message, a row, an event and a batch, one below and one above."""

import base64
import os
import uuid
from collections.abc import AsyncIterator, Mapping

import pytest
from azure.core.exceptions import HttpResponseError
from azure.eventhub import EventDataBatch
from azure.storage.queue.aio import QueueClient

from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.amqp_events import event_of
from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.sender import EventHubsSender
from shared.adapters.secrets.stores import NoSecrets
from shared.adapters.tables import profiles
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service import table as tables
from shared.adapters.tables.service.chunks import row_size
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.errors import ExportTooLargeError, ProfileTooLargeError
from shared.settings import PROFILE_BUCKETS, Connection
from tests.kit.builders import NOW

AROUND = pytest.mark.parametrize("off", [-1, 0, 1])
EVENT_LIMIT = 1_048_576


@AROUND
async def test_a_queue_message(stack: LocalStack, off: int) -> None:
    name = f"sizes-{uuid.uuid4().hex}"
    async with QueueClient.from_connection_string(stack.storage_connection_string, name) as queue:
        await queue.create_queue()
        text = "x" * (65_536 + off)
        if off == 1:
            with pytest.raises(HttpResponseError):
                await queue.send_message(text)
        else:
            await queue.send_message(text)
            message = await queue.receive_message()
            assert message is not None
            assert message.content == text


@AROUND
async def test_a_profiles_row(stack: LocalStack, off: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(row: Mapping[str, str | bytes | int]) -> int:
        sizes.append(row_size(row))
        return sizes[-1]

    monkeypatch.setattr(profiles, "row_size", measured)
    async with tables.Account(Connection("STORAGE", stack.storage_connection_string)) as account:
        table = tables.Table(account, f"Sizes{uuid.uuid4().hex}")
        await table.create_if_missing()
        store = TableProfiles([table] * PROFILE_BUCKETS)
        profile = await store.load("p")
        profile.state.attributes.merge({"x": base64.b64encode(os.urandom(300_000)).decode()}, NOW, 0)
        await store.save(profile)
        monkeypatch.setattr(profiles, "SIZE_LIMIT", sizes[0] - off)
        if off == 1:
            with pytest.raises(ProfileTooLargeError):
                await store.save(profile)
        else:
            await store.save(profile)
            assert (await store.load("p")).state == profile.state


@pytest.fixture
async def hub(stack: LocalStack) -> str:
    name = f"sizes-{uuid.uuid4().hex}"
    stack.broker.create_hub(name, 1)
    return name


@pytest.fixture
async def sender(stack: LocalStack) -> AsyncIterator[EventHubsSender]:
    connection = Connection("EVENTHUBS", stack.event_hubs_connection_string)
    sender = EventHubsSender(HubConnections(lambda _: connection, NoSecrets(), local=True), 20.0)
    yield sender
    await sender.close()


def export_of(hub: str, size: int) -> Export:
    destination = Destination(id="d", name="d", event_hub_name=hub)
    return Export(destination, "p", NOW, 1, ("audience",), NOW, b'"' + b"x" * (size - 2) + b'"')


def size_in_batch(hub: str, body: int) -> int:
    """The bytes that an event with a body of this size takes of a batch, as the SDK counts them."""
    batch = EventDataBatch(max_size_in_bytes=2 * EVENT_LIMIT)
    batch.add(event_of(export_of(hub, body)))
    return batch.size_in_bytes


def largest_body(hub: str, of: int) -> int:
    """The size of the body that makes an event fill a batch of `of` bytes."""
    return of - (size_in_batch(hub, 300_000) - 300_000)


@AROUND
async def test_an_event(stack: LocalStack, hub: str, sender: EventHubsSender, off: int) -> None:
    future = sender.enqueue(export_of(hub, largest_body(hub, EVENT_LIMIT) + off))
    if off == 1:
        with pytest.raises(ExportTooLargeError):
            await future
    else:
        await future
    assert stack.broker.stats().hubs[hub].events == (0 if off == 1 else 1)


@AROUND
async def test_a_batch(stack: LocalStack, hub: str, sender: EventHubsSender, off: int) -> None:
    await sender.enqueue(export_of(hub, 10))
    before = stack.broker.stats().hubs[hub]
    first = 400_000
    empty = EventDataBatch(max_size_in_bytes=EVENT_LIMIT).size_in_bytes
    rest = EVENT_LIMIT - (size_in_batch(hub, first) - empty)
    futures = [sender.enqueue(export_of(hub, first)), sender.enqueue(export_of(hub, largest_body(hub, rest) + off))]
    for future in futures:
        await future
    after = stack.broker.stats().hubs[hub]
    assert after.events - before.events == 2
    assert after.transfers - before.transfers == (2 if off == 1 else 1)
