"""The Event Hubs sender against the stand-in: order, group commit, and failures that stay where they belong."""

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from local.broker.control import Fault
from local.eventually import eventually
from local.exports import read_exports
from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.sender import EventHubsSender
from shared.adapters.secrets.stores import NoSecrets
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.errors import ExportTooLargeError, SendError, SettingError, ThrottledError
from shared.settings import Connection
from tests.kit.builders import NOW

PARTITIONS = 4

# The SDK leaves sockets of dropped connections to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]


@pytest.fixture
def hub(stack: LocalStack) -> str:
    """A hub of the test's own."""
    name = f"hub-{uuid.uuid4().hex}"
    stack.broker.create_hub(name, PARTITIONS)
    return name


@pytest.fixture(autouse=True)
def nothing_left_behind(stack: LocalStack) -> Iterator[None]:
    """Neither faults nor sockets: their warnings come here, and not in whichever test is next."""
    yield
    stack.broker.clear_faults()
    gc.collect()


MakeSender = Callable[..., EventHubsSender]


@pytest.fixture
async def make_sender(stack: LocalStack) -> AsyncIterator[MakeSender]:
    senders = []

    def make(connection_string: str | None = None, send_timeout: float = 5.0) -> EventHubsSender:
        connection = Connection("EVENTHUBS", connection_string or stack.event_hubs_connection_string)
        connections = HubConnections(lambda _: connection, NoSecrets(), local=True)
        senders.append(EventHubsSender(connections, send_timeout))
        return senders[-1]

    yield make
    await asyncio.gather(*(sender.close() for sender in senders))


def export_to(hub: str, profile_id: str = "p", version: int = NOW, body: bytes = b"{}") -> Export:
    destination = Destination(id=f"to-{hub}"[:60], name=hub, event_hub_name=hub)
    return Export(destination, profile_id, version, 7, ("audience",), NOW, body)


async def acknowledged(*futures: "asyncio.Future[None]") -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(*futures)


async def test_an_export_arrives_as_it_was_made(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    export = export_to(hub, "ü/😀", body='{"x":"ü"}'.encode())
    await acknowledged(make_sender().enqueue(export))

    (read,) = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=1, timeout=20)]

    assert read.body == {"x": "ü"}
    assert (read.content_type, read.message_id) == ("application/json", export.message_id)
    assert read.properties == export.application_properties


async def test_exports_of_a_profile_keep_their_order_on_one_partition(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender()
    exports = [export_to(hub, f"profile {number}", version) for version in range(25) for number in range(40)]
    await acknowledged(*(sender.enqueue(export) for export in exports))

    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=1_000, timeout=30)]

    places: dict[str, list[tuple[str, int]]] = {}
    for e in read:
        places.setdefault(e.properties["profileId"], []).append((e.partition, e.properties["profileVersion"]))
    assert {profile: [version for _, version in found] for profile, found in places.items()} == {
        f"profile {number}": list(range(25)) for number in range(40)
    }
    assert all(len({partition for partition, _ in found}) == 1 for found in places.values())
    assert len({partition for found in places.values() for partition, _ in found}) == PARTITIONS


async def test_what_gathers_goes_in_one_batch(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender()
    await acknowledged(*(sender.enqueue(export_to(hub, f"{number}")) for number in range(1_000)))
    stats = stack.broker.stats().hubs[hub]
    assert stats.events == 1_000
    assert stats.transfers <= 2 * PARTITIONS


async def test_the_first_event_of_an_idle_lane_waits_for_company(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender()
    await acknowledged(sender.enqueue(export_to(hub)))
    first = sender.enqueue(export_to(hub))
    for _ in range(20):
        await asyncio.sleep(0)
    await acknowledged(first, sender.enqueue(export_to(hub)))
    assert stack.broker.stats().hubs[hub].transfers == 2


async def test_an_event_too_large_fails_alone(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender()
    large, small = b'"' + b"x" * 1_048_576 + b'"', export_to(hub)
    futures = [sender.enqueue(each) for each in (small, export_to(hub, body=large), small)]
    async with asyncio.timeout(30):
        results = await asyncio.gather(*futures, return_exceptions=True)

    assert results[0] is results[2] is None
    assert isinstance(results[1], ExportTooLargeError)
    assert "1,048,578 bytes does not fit the hub's limit of 1,048,576" in str(results[1])
    assert stack.broker.stats().hubs[hub].events == 2


async def test_more_than_a_batch_takes_goes_in_several(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender()
    await acknowledged(*(sender.enqueue(export_to(hub, body=b'"' + b"x" * 300_000 + b'"')) for _ in range(10)))
    assert stack.broker.stats().hubs[hub].events == 10


@pytest.mark.parametrize("kind", ["throttle", "reject", "detach", "drop-connection", "stall", "size-exceeded"])
async def test_a_failure_is_told_and_the_next_send_gets_through(
    stack: LocalStack, hub: str, make_sender: MakeSender, kind: str
) -> None:
    sender = make_sender(send_timeout=1.0 if kind == "stall" else 10.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind=kind, hub=hub))  # type: ignore[arg-type]

    with pytest.raises(SendError, match=hub[:20]):
        await acknowledged(sender.enqueue(export_to(hub, version=2)))

    assert sum(fault.fired for fault in stack.broker.faults()) > 0
    stack.broker.clear_faults()
    await acknowledged(sender.enqueue(export_to(hub, version=3)))


async def test_a_batch_that_is_too_large_for_the_hub_goes_one_by_one(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender()
    await acknowledged(sender.enqueue(export_to(hub)))
    before = stack.broker.stats().hubs[hub]
    stack.broker.set_faults(Fault(kind="size-exceeded", hub=hub, count=2))  # the SDK sends once more by itself

    await acknowledged(*(sender.enqueue(export_to(hub, version=version)) for version in range(5)))

    after = stack.broker.stats().hubs[hub]
    assert (after.events - before.events, after.rejected - before.rejected) == (5, 2)


async def test_a_busy_hub_is_told_apart_and_left_alone_for_a_while(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender()
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="throttle", hub=hub))
    with pytest.raises(ThrottledError, match="the hub is busy"):
        await acknowledged(sender.enqueue(export_to(hub, version=2)))
    rejected = stack.broker.stats().hubs[hub].rejected

    waiting = [sender.enqueue(export_to(hub, version=version)) for version in range(3, 10)]
    await asyncio.sleep(0)
    assert stack.broker.stats().hubs[hub].rejected == rejected
    stack.broker.clear_faults()
    await acknowledged(*waiting)


async def taken(future: "asyncio.Future[None]") -> bool:
    """Whether the hub acknowledged it; while an earlier send is still tried it does not."""
    try:
        await future
    except SendError:
        return False
    return True


@pytest.mark.parametrize("kind", ["detach-after-store", "drop-after-store", "stall-after-store"])
async def test_a_lost_reply_never_counts_as_lost_events(
    stack: LocalStack, hub: str, make_sender: MakeSender, kind: str
) -> None:
    """The hub has the event; the app may hear of a failure, and then sends it again under the same id."""
    sender = make_sender(send_timeout=2.0 if kind == "stall-after-store" else 10.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind=kind, hub=hub))  # type: ignore[arg-type]
    outcome = sender.enqueue(export_to(hub, version=2))
    async with asyncio.timeout(30):
        (told,) = await asyncio.gather(outcome, return_exceptions=True)
    fired = sum(fault.fired for fault in stack.broker.faults())
    stack.broker.clear_faults()
    if told is not None:
        assert isinstance(told, SendError)
        assert await eventually(lambda: taken(sender.enqueue(export_to(hub, version=2))), timeout=30)

    count = stack.broker.stats().hubs[hub].events
    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=count, timeout=20)]
    assert fired > 0
    assert {e.message_id for e in read} == {export_to(hub).message_id, export_to(hub, version=2).message_id}


async def test_nobody_waits_for_a_stalled_hub(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender(send_timeout=6.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="stall", hub=hub))

    async with asyncio.timeout(3.9):
        waiting = [sender.enqueue(export_to(hub, version=version)) for version in (2, 3)]
        errors = [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)]
        late = sender.enqueue(export_to(hub, version=4))

    assert errors == [f"destination {f'to-{hub}'[:60]!r}: no acknowledgement within 2.5 s"] * 2
    assert late.done()
    with pytest.raises(SendError, match=r"earlier events have waited for more than 2\.5 s"):
        await late


async def test_a_stalled_hub_is_tried_by_one_send_at_a_time(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender(send_timeout=2.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="stall", hub=hub))
    with pytest.raises(SendError, match="no acknowledgement"):
        await sender.enqueue(export_to(hub, version=2))

    async def tried_again() -> bool:
        """Whether somebody waits, because nobody else is on the way."""
        probe = sender.enqueue(export_to(hub, version=3))
        if probe.done():
            with pytest.raises(SendError, match="earlier events"):
                await probe
            return False
        assert isinstance(sender.enqueue(export_to(hub, version=4)).exception(), SendError)
        with pytest.raises(SendError, match="no acknowledgement"):
            await probe
        return True

    assert await eventually(tried_again)
    stack.broker.clear_faults()

    async def acknowledges() -> bool:
        try:
            await sender.enqueue(export_to(hub, version=5))
        except SendError:
            return False
        return True

    assert await eventually(acknowledges)
    await acknowledged(sender.enqueue(export_to(hub, version=6)), sender.enqueue(export_to(hub, version=7)))


async def test_a_stalled_destination_holds_up_no_other(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    other = f"{hub}-2"
    stack.broker.create_hub(other, PARTITIONS)
    sender = make_sender(send_timeout=60.0)
    await acknowledged(sender.enqueue(export_to(hub)), sender.enqueue(export_to(other)))
    stack.broker.set_faults(Fault(kind="stall", hub=hub))

    stalled = sender.enqueue(export_to(hub))
    for version in range(20):
        await acknowledged(sender.enqueue(export_to(other, version=version)))

    assert not stalled.done()
    stalled.cancel()


async def test_unreachable_hubs_say_why(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    wrong_key = stack.event_hubs_connection_string.replace("SharedAccessKey=SAS", "SharedAccessKey=WRONG")
    nobody_there = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true;"
    for connection_string, event_hub, reason in [
        (wrong_key, hub, "AuthenticationError"),
        (None, "no-such-hub", "Connect|ConnectionLost"),
        (nobody_there, hub, "Connect"),
        ("nonsense", hub, "'to-"),
    ]:
        with pytest.raises(SendError, match=reason) as raised:
            await acknowledged(make_sender(connection_string, 20.0).enqueue(export_to(event_hub)))
        assert "WRONG" not in str(raised.value)


async def test_a_missing_setting_fails_the_export_and_names_it(hub: str) -> None:
    def no_such_setting(name: str) -> Connection:
        raise SettingError(f"app setting {name}: expected an Event Hubs connection string")

    sender = EventHubsSender(HubConnections(no_such_setting, NoSecrets(), local=True), 5.0)
    with pytest.raises(SendError, match="app setting EVENTHUBS"):
        await acknowledged(sender.enqueue(export_to(hub)))
