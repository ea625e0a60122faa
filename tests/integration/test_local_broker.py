"""The Event Hubs stand-in, met by the unmodified Azure SDK: what works, and what each fault looks like from there."""

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import re
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote_plus

import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient, EventHubSharedKeyCredential
from azure.eventhub.aio import EventHubConsumerClient as AsyncConsumer
from azure.eventhub.aio import EventHubProducerClient as AsyncProducer
from azure.eventhub.exceptions import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    EventDataSendError,
    EventHubError,
    OperationTimeoutError,
)

from local.broker.control import BrokerControl, BrokerControlError, Fault, FaultKind, HubStats, connection_string
from local.stack.process import ServiceProcess

SERVER = Path(__file__).parents[2] / "local" / "broker" / "server.js"
READY = r'^\{"event":"listening","amqpPort":(\d+),"controlPort":(\d+)\}$'
PATIENCE = 40.0
# Faults are to be seen as they are, and not after minutes of retries.
IMPATIENT: dict[str, Any] = {"retry_total": 0, "retry_backoff_factor": 0.01}

# The SDK leaves sockets of refused and dropped connections to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def sockets_left_by_the_sdk() -> Iterator[None]:
    """Collected here, where their warnings are expected, and not in whichever test comes later."""
    yield
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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker") / "broker.log") as broker:
        yield broker


@contextmanager
def fresh_hub(broker: Broker, partitions: int) -> Iterator[str]:
    name = f"hub-{uuid.uuid4().hex[:12]}"
    broker.control.create_hub(name, partitions)
    yield name
    broker.control.clear_faults()
    broker.control.delete_hub(name)


@pytest.fixture
def hub(broker: Broker) -> Iterator[str]:
    """With one partition, because the SDK opens three connections, half a second each, to send to a chosen one."""
    with fresh_hub(broker, 1) as name:
        yield name


@pytest.fixture
def wide_hub(broker: Broker) -> Iterator[str]:
    with fresh_hub(broker, 4) as name:
        yield name


@asynccontextmanager
async def producing(connection: str) -> AsyncIterator[AsyncProducer]:
    client = AsyncProducer.from_connection_string(connection, **IMPATIENT)
    async with asyncio.timeout(PATIENCE), client:
        yield client


async def send(producer: AsyncProducer, *bodies: str, timeout: float = 5.0, **placement: str) -> None:  # noqa: ASYNC109
    await producer.send_batch([EventData(body) for body in bodies], timeout=timeout, **placement)


class EnoughReadError(Exception):
    """Raised by a receiver's own callback: the quickest way to end it that the SDK knows."""


async def read(connection: str, partition: str, count: int, **position: Any) -> list[EventData]:
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

    client = AsyncConsumer.from_connection_string(connection, "$Default", **IMPATIENT)
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


def bodies(events: Sequence[EventData]) -> list[str]:
    return [event.body_as_str() for event in events]


# What is sent is what is read


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


async def last_sequence_numbers(producer: AsyncProducer) -> list[int]:
    partitions = await asyncio.gather(*(producer.get_partition_properties(partition) for partition in "0123"))
    return [properties["last_enqueued_sequence_number"] for properties in partitions]


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


async def raised_by(action: Awaitable[object]) -> Exception | None:
    try:
        await action
    except EventHubError as error:
        return error
    return None


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
    assert "404" in str(unknown)


# Who may come in


def signature(resource: str, *, key: str, expires_at: float) -> str:
    encoded = quote_plus(resource)
    digest = hmac.new(key.encode(), f"{encoded}\n{int(expires_at)}".encode(), hashlib.sha256).digest()
    # The SDK takes the first "se=" for the expiry; without this one it would not even send an expired signature.
    misleading = f"not-se={int(time.time()) + 3600}"
    fields = f"{misleading}&sr={encoded}&sig={quote_plus(base64.b64encode(digest).decode())}&se={int(expires_at)}"
    return f"SharedAccessSignature {fields}&skn=RootManageSharedAccessKey"


@pytest.mark.parametrize("credentials", [{"key": "another"}, {"key_name": "another"}], ids=["key", "key name"])
async def test_wrong_credentials_are_refused(broker: Broker, hub: str, credentials: dict[str, str]) -> None:
    async with producing(broker.connection_string(hub, **credentials)) as producer:
        with pytest.raises(AuthenticationError, match="401"):
            await send(producer, "x")
    assert broker.control.stats().hubs[hub].transfers == 0


async def test_a_signature_is_good_for_its_audience_and_time(broker: Broker, hub: str) -> None:
    host = f"127.0.0.1:{broker.amqp_port}"

    async def accepts(resource: str, lifetime: int) -> bool:
        token = signature(resource, key="SAS_KEY_VALUE", expires_at=time.time() + lifetime)
        credential = f"SharedAccessSignature={token};UseDevelopmentEmulator=true"
        async with producing(f"Endpoint=sb://{host};{credential};EntityPath={hub}") as producer:
            try:
                await send(producer, "x")
            except AuthenticationError:
                return False
            return True

    hub_in_time, namespace_in_time, hub_expired, another_hub, part_of_a_name = await asyncio.gather(
        accepts(f"sb://{host}/{hub}", 60),
        accepts(f"sb://{host}/", 60),
        accepts(f"sb://{host}/{hub}", -60),
        accepts(f"sb://{host}/{hub}-2", 60),
        accepts(f"sb://{host}/{hub[:-1]}", 60),
    )
    assert (hub_in_time, namespace_in_time) == (True, True)
    assert (hub_expired, another_hub, part_of_a_name) == (False, False, False)
    assert broker.control.stats().hubs[hub].events == 2


@pytest.fixture
def send_only(broker: Broker) -> Iterator[dict[str, str]]:
    """The credentials of a key that may do no more than send."""
    broker.control.put_key("send-only", "send", "Send")
    yield {"key_name": "send-only", "key": "send"}
    with suppress(BrokerControlError):
        broker.control.delete_key("send-only")


async def test_a_key_may_do_what_it_claims(broker: Broker, hub: str, send_only: dict[str, str]) -> None:
    broker.control.put_key("listen-only", "listen", "Listen")
    listen_only = {"key_name": "listen-only", "key": "listen"}

    async with producing(broker.connection_string(hub, **send_only)) as producer:
        await send(producer, "x")
    assert [event.body_as_str() for event in await read(broker.connection_string(hub, **listen_only), "0", 1)] == ["x"]
    async with producing(broker.connection_string(hub, **listen_only)) as producer:
        assert await producer.get_partition_ids() == ["0"]
        with pytest.raises(ConnectionLostError, match=r"Unauthorized access\. 'Send' claim"):
            await send(producer, "y")
    assert broker.control.stats().hubs[hub].events == 1
    broker.control.delete_key("listen-only")


async def test_a_key_that_is_regenerated_or_deleted_lets_nobody_in_any_more(
    broker: Broker, hub: str, send_only: dict[str, str]
) -> None:
    async with (
        producing(broker.connection_string(hub, **send_only)) as by_old,
        producing(broker.connection_string(hub)) as by_other,
    ):
        await asyncio.gather(send(by_old, "x"), send(by_other, "x"))
        broker.control.put_key("send-only", "regenerated", "Send")
        await until(lambda: broker.control.stats().hubs[hub].links_open == 1)
        with pytest.raises(EventHubError):
            await send(by_old, "y")
        await send(by_other, "y")
    broker.control.delete_key("send-only")
    async with producing(broker.connection_string(hub, key_name="send-only", key="regenerated")) as producer:
        with pytest.raises(AuthenticationError, match="401"):
            await send(producer, "z")
    assert broker.control.stats().hubs[hub].events == 3


def listed(
    broker: Broker, query: str = "", *, key_name: str = "RootManageSharedAccessKey", key: str
) -> tuple[int, str]:
    """Status and body of the service's own list of hubs."""
    token = EventHubSharedKeyCredential(key_name, key).get_token(f"sb://127.0.0.1:{broker.amqp_port}/").token
    connection = HTTPConnection("127.0.0.1", broker.control_port, timeout=5)
    try:
        connection.request("GET", f"/$Resources/EventHubs{query}", headers={"Authorization": token})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_hubs_are_listed_as_a_feed_to_whoever_may_manage(
    broker: Broker, hub: str, wide_hub: str, send_only: dict[str, str]
) -> None:
    status, feed = listed(broker, key="SAS_KEY_VALUE")
    assert status == 200
    titles = re.findall(r'<title type="text">(.*?)</title>', feed)
    assert titles == ["EventHubs", *sorted(broker.control.hubs())]
    assert {hub, wide_hub} <= set(titles)
    assert listed(broker, "?$skip=0&$top=1", key="SAS_KEY_VALUE")[1].count("<entry>") == 1
    assert listed(broker, "?$skip=999&$top=1", key="SAS_KEY_VALUE")[1].count("<entry>") == 0
    assert listed(broker, **send_only)[0] == 401
    assert listed(broker, key="WRONG")[0] == 401


@pytest.mark.parametrize(
    ("key", "claims", "advice"),
    [("", ["Send"], '"key" is a text'), ("k", [], '"claims" is a list of Manage'), ("k", ["send"], '"claims"')],
)
def test_a_key_that_makes_no_sense_is_refused(broker: Broker, key: str, claims: list[Any], advice: str) -> None:
    with pytest.raises(BrokerControlError, match=advice) as refused:
        broker.control.put_key("odd", key, *claims)
    assert refused.value.status == 400
    with pytest.raises(BrokerControlError, match="GET /keys lists them"):
        broker.control.delete_key("odd")


async def test_an_unknown_hub_is_not_found(broker: Broker) -> None:
    async with producing(broker.connection_string("nowhere")) as producer:
        with pytest.raises((ConnectError, ConnectionLostError), match=r'there is no hub at ".*/nowhere"'):
            await send(producer, "x")


async def test_a_chosen_partition_is_where_events_go_and_an_unknown_one_is_not_found(
    broker: Broker, wide_hub: str
) -> None:
    async with producing(broker.connection_string(wide_hub)) as producer:
        await send(producer, "a", "b", partition_id="3")
        await producer.send_event(EventData("c"), partition_id="3", timeout=5)
        assert await last_sequence_numbers(producer) == [-1, -1, -1, 2]
        # The SDK refuses partitions that it does not know of; it still knows the ones that the hub had before.
        broker.control.delete_hub(wide_hub)
        broker.control.create_hub(wide_hub, 2)
        with pytest.raises((ConnectError, ConnectionLostError), match='no partition "2", only 0 to 1'):
            await send(producer, "x", partition_id="2")


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


# What each fault looks like to the SDK, which sends a rejected or lost transfer once more by itself


@dataclass(frozen=True)
class Scenario:
    """One event is sent; then, with `fault` armed, another. What should come of that other one."""

    fault: Fault
    raises: type[Exception] | None = None
    error: str | None = None
    fired: int = 2
    stored: int = 0

    def __str__(self) -> str:
        return f"{self.fault.kind}-{'once' if self.fault.count == 1 else 'always'}"


SCENARIOS = [
    Scenario(Fault(kind="throttle"), EventDataSendError, "server-busy"),
    Scenario(Fault(kind="throttle", count=1), fired=1, stored=1),
    Scenario(Fault(kind="reject"), EventDataSendError, "internal-error"),
    Scenario(Fault(kind="reject", condition="amqp:not-allowed", count=2), EventDataSendError, "not-allowed"),
    Scenario(Fault(kind="size-exceeded"), EventDataSendError, "link:message-size-exceeded"),
    Scenario(Fault(kind="detach"), ConnectionLostError, "link:detach-forced", fired=1),
    Scenario(Fault(kind="detach-after-store"), ConnectionLostError, "link:detach-forced", fired=1, stored=1),
    Scenario(Fault(kind="drop-connection"), ConnectError, "socket-error"),
    Scenario(Fault(kind="drop-connection", count=1), fired=1, stored=1),
    Scenario(Fault(kind="drop-after-store"), ConnectError, "socket-error", stored=2),
    Scenario(Fault(kind="drop-after-store", count=1), fired=1, stored=2),
    Scenario(Fault(kind="stall"), OperationTimeoutError),
    Scenario(Fault(kind="stall", count=1), fired=1, stored=1),
    Scenario(Fault(kind="stall-after-store"), OperationTimeoutError, stored=2),
    Scenario(Fault(kind="stall-after-store", count=1), fired=1, stored=2),
    Scenario(Fault(kind="delay", delay_ms=300), fired=1, stored=1),
    Scenario(Fault(kind="auth-failure"), fired=0, stored=1),
]


@dataclass(frozen=True)
class Result:
    raised: type[Exception] | None
    error: str | None
    seconds: float
    fired: int
    stats: HubStats


@pytest.fixture(scope="module")
def results(broker: Broker) -> dict[Scenario, Result]:
    """All scenarios side by side, each in a hub of its own: one after the other the SDK's waiting takes minutes."""
    hubs = {scenario: f"fault-{number}" for number, scenario in enumerate(SCENARIOS)}
    ready = asyncio.Barrier(len(SCENARIOS) + 1)
    armed = asyncio.Event()

    async def play(scenario: Scenario, hub: str) -> tuple[type[Exception] | None, str | None, float]:
        async with producing(broker.connection_string(hub)) as producer:
            await send(producer, "before")
            await ready.wait()
            await armed.wait()
            started = time.monotonic()
            raised, condition = None, None
            try:
                await send(producer, "x", timeout=1.5 if "stall" in scenario.fault.kind else 10)
            except EventHubError as error:
                raised, condition = type(error), error.error
            return raised, condition, time.monotonic() - started

    async def play_all() -> list[tuple[type[Exception] | None, str | None, float]]:
        playing = [asyncio.create_task(play(scenario, hub)) for scenario, hub in hubs.items()]
        await ready.wait()
        broker.control.set_faults(*(replace(scenario.fault, hub=hub) for scenario, hub in hubs.items()))
        armed.set()
        return await asyncio.gather(*playing)

    for hub in hubs.values():
        broker.control.create_hub(hub, 1)
    outcomes = asyncio.run(asyncio.wait_for(play_all(), 2 * PATIENCE))
    fired = {fault.hub: fault.fired for fault in broker.control.faults()}
    stats = broker.control.stats().hubs
    broker.control.clear_faults()
    return {
        scenario: Result(*outcome, fired=fired[hub], stats=stats[hub])
        for (scenario, hub), outcome in zip(hubs.items(), outcomes, strict=True)
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_what_the_sdk_makes_of_a_fault(results: dict[Scenario, Result], scenario: Scenario) -> None:
    result = results[scenario]
    assert (result.raised, result.error) == (scenario.raises, scenario.error)
    assert (result.fired, result.stats.events - 1) == (scenario.fired, scenario.stored)
    refused = result.fired if scenario.raises is EventDataSendError else int(scenario.fault.kind == "throttle")
    assert result.stats.rejected == refused
    assert result.seconds >= (scenario.fault.delay_ms or 0) / 1000
    assert result.stats.links_open == 0


def test_every_fault_kind_of_a_transfer_is_tried() -> None:
    elsewhere = {"refuse-connection"}
    assert {scenario.fault.kind for scenario in SCENARIOS} | elsewhere == set(get_args(FaultKind))


async def test_a_refused_token_is_an_authentication_error(broker: Broker, hub: str) -> None:
    broker.control.set_faults(Fault(kind="auth-failure", hub=hub, count=1))
    async with producing(broker.connection_string(hub)) as producer:
        with pytest.raises(AuthenticationError, match="401"):
            await producer.get_partition_ids()
        assert await producer.get_partition_ids() == ["0"]
    assert [fault.fired for fault in broker.control.faults()] == [1]


async def test_refused_connections_and_the_end_of_existing_ones(broker: Broker, hub: str) -> None:
    async with producing(broker.connection_string(hub)) as producer:
        await send(producer, "before")
        broker.control.set_faults(Fault(kind="refuse-connection"))
        await until(lambda: broker.control.stats().connections_open == 0)
        with pytest.raises(ConnectError):
            await send(producer, "x")
        (rule,) = broker.control.faults()
        broker.control.clear_faults()
        await send(producer, "after")
    assert rule.fired >= 1
    assert broker.control.stats().hubs[hub].events == 2


async def test_a_fault_waits_for_its_turn_and_keeps_to_its_partition(broker: Broker, wide_hub: str) -> None:
    broker.control.set_faults(Fault(kind="throttle", hub=wide_hub, partition="1", after=1))
    async with producing(broker.connection_string(wide_hub)) as producer:
        for _ in range(5):
            await send(producer, "x")
        # The sixth transfer is partition 1's second; the SDK sends it again, and partition 2 takes it.
        assert broker.control.faults()[0].fired == 0
        await send(producer, "x")
        assert broker.control.faults()[0].fired == 1
        assert await last_sequence_numbers(producer) == [1, 0, 1, 0]


# The control port


async def test_a_deleted_hub_closes_its_links_and_is_gone(broker: Broker, hub: str) -> None:
    async with producing(broker.connection_string(hub)) as producer:
        await send(producer, "x")
        assert broker.control.stats().hubs[hub].links_open == 1
        broker.control.delete_hub(hub)
        with pytest.raises((ConnectError, ConnectionLostError), match=r"was deleted|no hub|404"):
            await send(producer, "x")
    assert hub not in broker.control.hubs()
    broker.control.create_hub(hub, 1)


def test_hubs_are_created_once(broker: Broker, hub: str) -> None:
    broker.control.create_hub(hub, 1)
    assert broker.control.hubs()[hub] == 1
    with pytest.raises(BrokerControlError, match="cannot change to 3: delete the hub first") as conflict:
        broker.control.create_hub(hub, 3)
    assert conflict.value.status == 409
    with pytest.raises(BrokerControlError, match="1 to 1024 partitions") as invalid:
        broker.control.create_hub(f"{hub}-2", 0)
    assert invalid.value.status == 400
    with pytest.raises(BrokerControlError, match="no hub name"):
        broker.control.create_hub("a/b", 1)
    with pytest.raises(BrokerControlError, match="GET /hubs lists them") as missing:
        broker.control.delete_hub(f"{hub}-2")
    assert missing.value.status == 404


async def test_statistics_count_what_came_in(broker: Broker, hub: str) -> None:
    assert broker.control.stats().hubs[hub] == HubStats(0, 0, 0, 0, connections_open=0, links_open=0)
    async with producing(broker.connection_string(hub)) as producer:
        await send(producer, "a" * 100, "b" * 100)
        await send(producer, "c" * 100)
        during = broker.control.stats()
    await until(lambda: broker.control.stats().hubs[hub].links_open == 0)
    counted = during.hubs[hub]
    assert (counted.transfers, counted.events, counted.rejected) == (2, 3, 0)
    assert 300 < counted.bytes < 600
    assert (counted.connections_open, counted.links_open) == (1, 1)
    assert during.connections_open >= 1


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (Fault(kind="nonsense"), '"kind" is one of throttle, '),  # type: ignore[arg-type]
        (Fault(kind="delay"), '"delay" needs "delayMs"'),
        (Fault(kind="throttle", count=0), '"count" is 1 or more'),
        (Fault(kind="throttle", condition="amqp:not-allowed"), '"condition" is for "reject" only'),
        (Fault(kind="auth-failure", partition="0"), "knows no partition"),
        (Fault(kind="refuse-connection", hub="crm"), "meets all hubs"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_a_fault_that_makes_no_sense_is_refused(broker: Broker, hub: str, fault: Fault, advice: str) -> None:
    kept = Fault(kind="throttle", hub=hub, count=3, after=2, partition="0")
    broker.control.set_faults(kept)
    with pytest.raises(BrokerControlError, match=advice) as refused:
        broker.control.set_faults(fault)
    assert refused.value.status == 400
    assert broker.control.faults() == [kept]


def test_an_unreachable_control_port_says_so() -> None:
    with pytest.raises(BrokerControlError, match=r"does not answer on 127\.0\.0\.1:1 "):
        BrokerControl(1, timeout=1).hubs()


# The process


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["--nonsense"], "Unknown option '--nonsense'"),
        (["--hub", "crm"], '--hub is "crm", and must look like crm:4'),
        (["--amqp-port", "70000"], "--amqp-port is .*0 to 65535"),
        (["--retain", "0"], "--retain is .*from 1"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_option_is_explained(options: list[str], advice: str) -> None:
    ended = subprocess.run(
        ["node", str(SERVER), *options], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.search(advice, ended.stderr)
    assert "--help" in ended.stderr


def test_a_taken_port_is_explained(broker: Broker) -> None:
    options = ["--amqp-port", str(broker.amqp_port)]
    ended = subprocess.run(
        ["node", str(SERVER), *options], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{broker.amqp_port} (EADDRINUSE)" in ended.stderr


def test_help_names_every_option() -> None:
    ended = subprocess.run(
        ["node", str(SERVER), "--help"], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    for option in ("--amqp-port", "--control-port", "--key-name", "--key ", "--hub", "--retain", "--max-message-bytes"):
        assert option in ended.stdout


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=lambda value: value.name)
def test_it_stops_cleanly_with_clients_connected(stop: signal.Signals) -> None:
    command = ["node", str(SERVER), "--hub", "crm:1", "--key-name", "mine", "--key", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        assert set(ready) == {"event", "amqpPort", "controlPort"}
        connection = connection_string(ready["amqpPort"], "crm", key_name="mine", key="secret")
        with EventHubProducerClient.from_connection_string(connection, **IMPATIENT) as producer:
            producer.send_batch([EventData("x")], timeout=5)
            process.send_signal(stop)
            assert process.wait(timeout=1) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
    with pytest.raises(BrokerControlError):
        BrokerControl(ready["controlPort"]).hubs()
