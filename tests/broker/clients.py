"""A stand-in of the tests' own, and the SDK's clients for it: impatient ones, for faults are to be seen as they are."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient as AsyncConsumer
from azure.eventhub.aio import EventHubProducerClient as AsyncProducer
from azure.eventhub.exceptions import EventHubError

from local.broker.control import BrokerControl, connection_string
from local.stack.process import ServiceProcess

SERVER = Path(__file__).parents[2] / "local" / "broker" / "server.js"
READY = r'^\{"event":"listening","amqpPort":(\d+),"controlPort":(\d+)\}$'
PATIENCE = 40.0
IMPATIENT: dict[str, Any] = {"retry_total": 0, "retry_backoff_factor": 0.01}

SOCKETS_ARE_LEFT = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]
"""For modules in which connections are refused and dropped: the SDK leaves their sockets to the garbage collector."""


def collect_sockets() -> None:
    """Here, where their warnings are expected, and not in whichever test comes later."""
    gc.collect()


@dataclass(frozen=True)
class Broker:
    amqp_port: int
    control_port: int
    control: BrokerControl

    def connection_string(self, hub: str, **credentials: str) -> str:
        return connection_string(self.amqp_port, hub, **credentials)


@contextmanager
def running_broker(log: Path, *options: str) -> Iterator[Broker]:
    process = ServiceProcess("event hubs stand-in", ["node", str(SERVER), *options], ready=READY, log=log)
    amqp_port, control_port = process.start(PATIENCE).groups()
    try:
        yield Broker(int(amqp_port), int(control_port), BrokerControl(int(control_port)))
    finally:
        process.stop()
    # Whatever the SDK did to it, it must have been no surprise.
    complaints = log.read_text().splitlines()[1:]
    assert complaints == []


@asynccontextmanager
async def producing(connection: str, **options: Any) -> AsyncIterator[AsyncProducer]:
    client = AsyncProducer.from_connection_string(connection, **{**IMPATIENT, **options})
    async with asyncio.timeout(PATIENCE), client:
        yield client


async def send(producer: AsyncProducer, *bodies: str, timeout: float = 5.0, **placement: str) -> None:  # noqa: ASYNC109
    await producer.send_batch([EventData(body) for body in bodies], timeout=timeout, **placement)


class EnoughReadError(Exception):
    """Raised by a receiver's own callback: the quickest way to end it that the SDK knows."""


async def read(
    connection: str, partition: str, count: int, *, consumer_group: str = "$Default", **position: Any
) -> list[EventData]:
    position.setdefault("starting_position", "-1")
    received: list[EventData] = []
    errors: list[Exception] = []
    ended = asyncio.Event()

    async def on_event(_: object, event: EventData | None) -> None:
        if event is not None:
            received.append(event)
        if len(received) == count:
            raise EnoughReadError

    async def on_error(_: object, error: Exception) -> None:
        if not isinstance(error, EnoughReadError):
            errors.append(error)

    async def on_close(_: object, __: object) -> None:
        ended.set()

    client = AsyncConsumer.from_connection_string(connection, consumer_group, **IMPATIENT)
    callbacks: dict[str, Any] = {"on_error": on_error, "on_partition_close": on_close}
    async with asyncio.timeout(PATIENCE), client:
        receiver = asyncio.create_task(client.receive(on_event, partition_id=partition, **callbacks, **position))
        await ended.wait()
        receiver.cancel()
        await asyncio.gather(receiver, return_exceptions=True)
    if errors:
        raise errors[0]
    return received


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def last_sequence_numbers(producer: AsyncProducer) -> list[int]:
    partitions = await asyncio.gather(*(producer.get_partition_properties(partition) for partition in "0123"))
    return [properties["last_enqueued_sequence_number"] for properties in partitions]


async def raised_by(action: Awaitable[object]) -> Exception | None:
    try:
        await action
    except EventHubError as error:
        return error
    return None


def bodies(events: Sequence[EventData]) -> list[str]:
    return [event.body_as_str() for event in events]
