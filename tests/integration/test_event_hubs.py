"""The Event Hubs sender against the stand-in: order, group commit, and failures that stay where they belong."""

import asyncio
import gc
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.broker.control import Fault
from local.eventually import eventually
from local.exports import read_exports
from local.stack.local_stack import LocalStack
from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.partition_queue import Patience
from shared.adapters.event_hubs.sender import EventHubsSender
from shared.adapters.event_hubs.verifier import EventHubsVerifier
from shared.adapters.secrets.stores import NoSecrets
from shared.domain.configuration.credentials import parse_setting
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.profile_key import partition_of
from shared.errors import ExportTooLargeError, HeldBackError, SendError, SettingError, ThrottledError
from shared.ports.connections import Verified
from shared.ports.exports import Acknowledgement
from shared.ports.tracing import PassOn
from shared.settings import Connection
from tests.conftest import UniqueNames
from tests.kit.builders import NOW
from tests.kit.sdk_tracing import sdk_tracing, within_trace

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

    def make(connection_string: str | None = None, send_timeout: float = 5.0, **options: Any) -> EventHubsSender:
        connection = Connection("EVENTHUBS", connection_string or stack.event_hubs_connection_string)
        connections = HubConnections(lambda _: connection, NoSecrets(), local=True)
        senders.append(EventHubsSender(connections, send_timeout, **options))
        return senders[-1]

    yield make
    await asyncio.gather(*(sender.close() for sender in senders))


def export_to(hub: str, profile_id: str = "p", version: int = NOW, body: bytes = b"{}") -> Export:
    destination = Destination(id=f"to-{hub}"[:60], name=hub, event_hub_name=hub)
    return Export(destination, profile_id, version, 7, ("audience",), NOW, body)


async def acknowledged(*futures: "asyncio.Future[Acknowledgement]") -> None:
    async with asyncio.timeout(30):
        await asyncio.gather(*futures)


async def test_an_export_arrives_as_it_was_made(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    export = export_to(hub, "ü/😀", body='{"x":"ü"}'.encode())
    await acknowledged(make_sender().enqueue(export))

    (read,) = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=1, timeout=20)]

    assert read.body == {"x": "ü"}
    assert (read.content_type, read.message_id) == ("application/json", export.message_id)
    assert read.properties == export.application_properties


async def test_each_send_is_traced_with_all_that_it_holds(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    """Those that failed, too."""
    sends: list[tuple[str, int, str]] = []

    class Traced(PassOn):
        @contextmanager
        def send(self, exports: Sequence[Export], partition: str, /) -> Iterator[None]:
            outcome = "cut off"
            try:
                yield
                outcome = "acknowledged"
            except SendError as error:
                outcome = error.code
                raise
            finally:
                sends.append((partition, len(exports), outcome))

    sender = make_sender(tracing=Traced())
    exports = [export_to(hub, f"profile {number}") for number in range(40)]
    await acknowledged(*(sender.enqueue(export) for export in exports))
    of_partition = Counter(str(partition_of(export.profile_id, PARTITIONS)) for export in exports)
    assert {partition: sum(n for p, n, _ in sends if p == partition) for partition in of_partition} == of_partition
    assert {outcome for _, _, outcome in sends} == {"acknowledged"}
    sends.clear()
    stack.broker.set_faults(Fault(kind="reject", hub=hub))
    with pytest.raises(SendError) as refused:
        await acknowledged(sender.enqueue(exports[0]))
    assert sends == [(str(partition_of(exports[0].profile_id, PARTITIONS)), 1, refused.value.code)]


async def test_a_key_is_handed_out_and_moves_no_profile_to_another_partition(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender()
    plain = [export_to(hub, f"profile {number}") for number in range(20)]
    keyed = [replace(each, destination=each.destination.model_copy(update={"keyed": True})) for each in plain]
    await acknowledged(*(sender.enqueue(export) for export in plain + keyed))

    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=40, timeout=30)]

    assert {(e.properties["profileId"], int(e.partition), e.partition_key) for e in read} == {
        (each.profile_id, partition_of(each.profile_id, PARTITIONS), each.partition_key) for each in plain + keyed
    }
    assert len({e.partition_key for e in read}) == 1 + len(plain)


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


@pytest.fixture
def pass_time(stack: LocalStack) -> Iterator[Callable[[float], None]]:
    """Let so many seconds pass for the hubs, and for nobody else."""
    ahead = timedelta()

    def pass_time(seconds: float) -> None:
        nonlocal ahead
        ahead += timedelta(seconds=seconds)
        stack.broker.set_clock(ahead)

    yield pass_time
    stack.broker.set_clock(timedelta())


async def test_the_first_event_after_a_pause_is_sent_once(
    stack: LocalStack, hub: str, make_sender: MakeSender, pass_time: Callable[[float], None]
) -> None:
    """Event Hubs closes a connection that nothing came over for 240 s."""
    sender = make_sender()
    await acknowledged(sender.enqueue(export_to(hub)))
    assert stack.broker.stats().hubs[hub].connections_open > 0
    for pauses in range(1, 3):
        pass_time(241)
        await eventually(lambda: stack.broker.stats().hubs[hub].connections_open == 0)
        await acknowledged(sender.enqueue(export_to(hub)))
        assert stack.broker.stats().hubs[hub].events == 1 + pauses


async def test_the_first_event_of_a_partition_that_was_quiet_is_sent_once(
    stack: LocalStack, hub: str, make_sender: MakeSender, pass_time: Callable[[float], None]
) -> None:
    """Event Hubs ends a link that nothing came over for half an hour, though its connection goes on."""
    sender = make_sender(connections_per_hub=1)
    quiet, busy = (next(p for p in map(str, range(99)) if partition_of(p, PARTITIONS) == each) for each in range(2))
    await acknowledged(sender.enqueue(export_to(hub, quiet)), sender.enqueue(export_to(hub, busy)))
    links = stack.broker.stats().hubs[hub].links_open
    for _ in range(10):
        pass_time(200)
        await acknowledged(sender.enqueue(export_to(hub, busy)))
    await eventually(lambda: stack.broker.stats().hubs[hub].links_open == links - 1)
    await acknowledged(sender.enqueue(export_to(hub, quiet)))
    assert stack.broker.stats().hubs[hub].events == 13


async def test_an_event_too_large_fails_alone(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender()
    large, small = b'"' + b"x" * 1_048_576 + b'"', export_to(hub)
    futures = [sender.enqueue(each) for each in (small, export_to(hub, body=large), small)]
    async with asyncio.timeout(30):
        results = await asyncio.gather(*futures, return_exceptions=True)

    assert [isinstance(each, Acknowledgement) for each in results] == [True, False, True]
    assert isinstance(results[1], ExportTooLargeError)
    assert "1,048,578 bytes does not fit the hub's limit of 1,048,576" in str(results[1])
    assert stack.broker.stats().hubs[hub].events == 2


async def test_more_than_a_batch_takes_goes_in_several(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender()
    await acknowledged(*(sender.enqueue(export_to(hub, body=b'"' + b"x" * 300_000 + b'"')) for _ in range(10)))
    assert stack.broker.stats().hubs[hub].events == 10


@pytest.mark.parametrize("kind", ["reject", "detach", "drop-connection", "stall", "size-exceeded"])
async def test_a_failure_is_told_and_the_next_send_gets_through(
    stack: LocalStack, hub: str, make_sender: MakeSender, kind: str
) -> None:
    sender = make_sender(send_timeout=6.0 if kind == "stall" else 10.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind=kind, hub=hub))  # type: ignore[arg-type]

    with pytest.raises(SendError, match=hub[:20]):
        await acknowledged(sender.enqueue(export_to(hub, version=2)))

    assert sum(fault.fired for fault in stack.broker.faults()) > 0
    stack.broker.clear_faults()
    assert await eventually(lambda: taken(sender.enqueue(export_to(hub, version=3))))


async def test_a_batch_that_is_too_large_for_the_hub_goes_one_by_one(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender()
    await acknowledged(sender.enqueue(export_to(hub)))
    before = stack.broker.stats().hubs[hub]
    stack.broker.set_faults(Fault(kind="size-exceeded", hub=hub, count=1))

    await acknowledged(*(sender.enqueue(export_to(hub, version=version)) for version in range(5)))

    after = stack.broker.stats().hubs[hub]
    assert (after.events - before.events, after.rejected - before.rejected) == (5, 1)


async def test_what_a_busy_hub_refuses_is_sent_again_and_told_as_throttled(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender(patience=Patience(throttled_pause=0.2))
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="throttle", hub=hub, count=3))
    outcomes = await asyncio.gather(*(sender.enqueue(export_to(hub, version=version)) for version in range(2, 10)))
    assert [each.throttled for each in outcomes] == [True] * 8
    stats = stack.broker.stats().hubs[hub]
    assert (stats.events, stats.rejected) == (9, 3)
    assert not (await sender.enqueue(export_to(hub, version=10))).throttled


@pytest.mark.parametrize(
    ("condition", "code"),
    [("com.microsoft:server-busy", "throttled"), ("amqp:resource-limit-exceeded", "quota")],
)
async def test_a_hub_that_is_busy_for_long_says_so_and_is_left_alone_for_a_while(
    stack: LocalStack, hub: str, make_sender: MakeSender, condition: str, code: str
) -> None:
    sender = make_sender(patience=Patience(throttled_pause=0.2, throttled_after=0.5))
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="reject", condition=condition, hub=hub))
    with pytest.raises(ThrottledError, match="the hub throttles partition 0: it has taken nothing for") as told:
        await acknowledged(sender.enqueue(export_to(hub, version=2)))
    assert told.value.code == code
    rejected = stack.broker.stats().hubs[hub].rejected
    assert 2 <= rejected <= 3
    assert isinstance(sender.enqueue(export_to(hub, version=3)).exception(), ThrottledError)
    stack.broker.clear_faults()
    assert await eventually(lambda: taken(sender.enqueue(export_to(hub, version=4))))
    assert stack.broker.stats().hubs[hub].rejected == rejected


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("com.microsoft:entity-disabled", "disabled"),
        ("amqp:unauthorized-access", "bad-key"),
        ("com.microsoft:timeout", "timeout"),
        ("amqp:internal-error", "other"),
    ],
)
async def test_a_refusal_is_told_by_its_code(
    stack: LocalStack, hub: str, make_sender: MakeSender, condition: str, code: str
) -> None:
    sender = make_sender(send_timeout=20.0)
    stack.broker.set_faults(Fault(kind="reject", condition=condition, hub=hub))
    with pytest.raises(SendError) as refused:
        await acknowledged(sender.enqueue(export_to(hub)))
    assert (refused.value.code, refused.value.partition) == (code, "0")


async def taken(future: "asyncio.Future[Acknowledgement]") -> bool:
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
    sender = make_sender(send_timeout=6.0 if kind == "stall-after-store" else 10.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind=kind, hub=hub))  # type: ignore[arg-type]
    outcome = sender.enqueue(export_to(hub, version=2))
    async with asyncio.timeout(30):
        (told,) = await asyncio.gather(outcome, return_exceptions=True)
    fired = sum(fault.fired for fault in stack.broker.faults())
    stack.broker.clear_faults()
    if told is not None:
        assert isinstance(told, SendError)
        assert await eventually(lambda: taken(sender.enqueue(export_to(hub, version=2))), timeout=240)

    count = stack.broker.stats().hubs[hub].events
    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=count, timeout=20)]
    assert fired > 0
    assert {e.message_id for e in read} == {export_to(hub).message_id, export_to(hub, version=2).message_id}


async def test_nobody_waits_for_a_stalled_hub(stack: LocalStack, hub: str, make_sender: MakeSender) -> None:
    sender = make_sender(send_timeout=6.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="stall", hub=hub))

    async with asyncio.timeout(30):
        waiting = [sender.enqueue(export_to(hub, version=version)) for version in (2, 3)]
        errors = [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)]
        late = sender.enqueue(export_to(hub, version=4))

    assert errors == [f"destination {f'to-{hub}'[:60]!r}: no acknowledgement within 2.5 s from partition 0"] * 2
    assert late.done()
    with pytest.raises(HeldBackError, match="partition 0 has not answered in time"):
        await late


async def test_a_stalled_hub_is_tried_by_one_send_at_a_time(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender(send_timeout=6.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind="stall", hub=hub))
    with pytest.raises(SendError, match="no acknowledgement"):
        await sender.enqueue(export_to(hub, version=2))

    async def tried_again() -> bool:
        """Whether somebody waits, because nobody else is on the way."""
        probe = sender.enqueue(export_to(hub, version=3))
        if probe.done():
            with pytest.raises(HeldBackError):
                await probe
            return False
        assert isinstance(sender.enqueue(export_to(hub, version=4)).exception(), HeldBackError)
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
    for connection_string, event_hub, code, reason in [
        (wrong_key, hub, "bad-key", "does not know this key"),
        (None, "no-such-hub", "bad-key", "is there no such hub"),
        (nobody_there, hub, "unreachable", "the connection could not be made"),
        ("nonsense", hub, "no-credentials", "app setting EVENTHUBS: expected a connection string"),
    ]:
        with pytest.raises(SendError, match=reason) as raised:
            await acknowledged(make_sender(connection_string, 20.0).enqueue(export_to(event_hub)))
        assert raised.value.code == code
        assert "WRONG" not in str(raised.value)


async def test_a_missing_setting_fails_the_export_and_names_it(hub: str) -> None:
    def no_such_setting(name: str) -> Connection:
        raise SettingError(f"app setting {name}: expected an Event Hubs connection string")

    sender = EventHubsSender(HubConnections(no_such_setting, NoSecrets(), local=True), 5.0)
    with pytest.raises(SendError, match="app setting EVENTHUBS") as failed:
        await acknowledged(sender.enqueue(export_to(hub)))
    assert failed.value.code == "no-credentials"


# What one partition costs the others


def profiles_of(partition: int, number: int, partitions: int = PARTITIONS) -> list[str]:
    """So many profiles whose exports go there."""
    found = (name for name in (f"p{n}" for n in range(10_000)) if partition_of(name, partitions) == partition)
    return [next(found) for _ in range(number)]


@pytest.mark.parametrize("connections", [4, 2, 1])
async def test_a_partition_that_stalls_holds_up_no_other(
    stack: LocalStack, hub: str, make_sender: MakeSender, connections: int
) -> None:
    """Also where it shares its connection with others: those wait for it once, and then seldom."""
    patience = Patience(slow_after=4.0, tried_again_after=30.0)  # a busy machine takes seconds to connect
    sender = make_sender(send_timeout=20.0, connections_per_hub=connections, patience=patience)
    sound = [profile for partition in (0, 1, 3) for profile in profiles_of(partition, 5)]
    await acknowledged(*(sender.enqueue(export_to(hub, each)) for each in [*sound, *profiles_of(2, 1)]))
    stack.broker.set_faults(Fault(kind="stall", hub=hub, partition="2"))

    stalled = [sender.enqueue(export_to(hub, each, 2)) for each in profiles_of(2, 5)]
    await acknowledged(*(sender.enqueue(export_to(hub, each, 2)) for each in sound))
    errors = await asyncio.gather(*stalled, return_exceptions=True)
    assert [getattr(each, "code", None) for each in errors] == ["timeout"] * 5
    for version in range(3, 10):
        held = sender.enqueue(export_to(hub, profiles_of(2, 1)[0], version))
        await acknowledged(*(sender.enqueue(export_to(hub, each, version)) for each in sound))
        if connections < PARTITIONS:
            assert isinstance(held.exception(), HeldBackError)
        else:
            held.cancel()

    stack.broker.clear_faults()
    assert stack.broker.stats().hubs[hub].events == 1 + 9 * len(sound)


async def test_a_partition_that_throttles_holds_up_no_other_of_its_connection(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender(
        connections_per_hub=1, patience=Patience(throttled_pause=60.0, throttled_after=120.0, throttled_longest=120.0)
    )
    sound = [profile for partition in (0, 1, 3) for profile in profiles_of(partition, 2)]
    await acknowledged(*(sender.enqueue(export_to(hub, each)) for each in sound))
    stack.broker.set_faults(Fault(kind="throttle", hub=hub, partition="2"))
    busy = sender.enqueue(export_to(hub, profiles_of(2, 1)[0]))
    for version in range(2, 6):
        await acknowledged(*(sender.enqueue(export_to(hub, each, version)) for each in sound))
    assert not busy.done()


# Connections


@pytest.mark.parametrize(("connections", "opened"), [(1, 1), (3, 3), (40, 8)])
async def test_no_more_connections_are_opened_than_allowed_and_none_changes_a_partition(
    stack: LocalStack, names: UniqueNames, make_sender: MakeSender, connections: int, opened: int
) -> None:
    stack.broker.create_hub(names.hub, 8)
    sender = make_sender(send_timeout=30.0, connections_per_hub=connections, patience=Patience(slow_after=25.0))
    profiles = [f"profile {number}" for number in range(64)]
    await acknowledged(*(sender.enqueue(export_to(names.hub, each)) for each in profiles))
    stats = stack.broker.stats().hubs[names.hub]
    assert (stats.events, stats.connections_open, stats.links_open) == (64, opened, 8)

    read = [e async for e in read_exports(stack.event_hubs_connection_string, [names.hub], count=64, timeout=30)]
    assert {e.properties["profileId"]: int(e.partition) for e in read} == {
        profile: partition_of(profile, 8) for profile in profiles
    }


async def test_connections_that_are_not_used_are_closed_and_opened_again(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender(unused_after=0.3, outdated_after=0.1)
    await acknowledged(*(sender.enqueue(export_to(hub, f"p{number}")) for number in range(20)))

    async def nothing_is_open() -> bool:
        return stack.broker.stats().hubs[hub].connections_open == 0 and not sender._hubs

    assert await eventually(nothing_is_open)
    await acknowledged(*(sender.enqueue(export_to(hub, f"p{number}", 2)) for number in range(20)))
    assert stack.broker.stats().hubs[hub].events == 40


async def test_the_first_event_after_the_service_has_closed_the_connection_neither_fails_nor_doubles(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    """It does so after a while without a word; the SDK finds out only when it sends."""
    sender = make_sender(send_timeout=20.0)
    await acknowledged(*(sender.enqueue(export_to(hub, f"p{number}")) for number in range(20)))
    stack.broker.set_faults(Fault(kind="refuse-connection", count=1))  # closes those that are open
    stack.broker.clear_faults()

    async def nothing_is_open() -> bool:
        return stack.broker.stats().hubs[hub].connections_open == 0

    assert await eventually(nothing_is_open)
    await acknowledged(*(sender.enqueue(export_to(hub, f"p{number}", 2)) for number in range(20)))
    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=40, timeout=30)]
    assert stack.broker.stats().hubs[hub].events == 40 == len({e.message_id for e in read})


# A hub that is made anew, or grows


async def made_anew(stack: LocalStack, hub: str, partitions: int) -> None:
    stack.broker.delete_hub(hub)
    stack.broker.create_hub(hub, partitions)


@pytest.mark.parametrize("partitions", [1, 2, PARTITIONS])
async def test_a_hub_made_anew_with_fewer_partitions_is_followed_without_a_failure(
    stack: LocalStack, hub: str, make_sender: MakeSender, partitions: int
) -> None:
    sender = make_sender(send_timeout=20.0)
    profiles = [f"profile {number}" for number in range(12)]
    await acknowledged(*(sender.enqueue(export_to(hub, each)) for each in profiles))
    await made_anew(stack, hub, partitions)

    exports = [export_to(hub, each, version) for version in (2, 3) for each in profiles]
    await acknowledged(*(sender.enqueue(each) for each in exports))

    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=24, timeout=30)]
    versions: dict[str, list[int]] = {}
    for e in read:
        assert int(e.partition) == partition_of(e.properties["profileId"], partitions)
        versions.setdefault(e.properties["profileId"], []).append(e.properties["profileVersion"])
    assert versions == {each: [2, 3] for each in profiles}
    destination = export_to(hub).destination
    assert sender.partitions(destination) == tuple(str(number) for number in range(partitions))


async def test_after_a_bounded_time_all_instances_follow_a_hub_that_has_grown(
    stack: LocalStack, names: UniqueNames, make_sender: MakeSender
) -> None:
    stack.broker.create_hub(names.hub, 1)
    old, new = (make_sender(send_timeout=20.0, partitions_known_for=seconds) for seconds in (1.0, 600.0))
    profiles = [f"profile {number}" for number in range(12)]
    await acknowledged(*(old.enqueue(export_to(names.hub, each)) for each in profiles))
    await made_anew(stack, names.hub, 4)
    destination = export_to(names.hub).destination

    async def both_know() -> bool:
        await acknowledged(*(sender.enqueue(export_to(names.hub)) for sender in (old, new)))
        return old.partitions(destination) == new.partitions(destination) == ("0", "1", "2", "3")

    assert await eventually(both_know, timeout=240)
    before = stack.broker.stats().hubs[names.hub].events
    await acknowledged(*(s.enqueue(export_to(names.hub, each, 2)) for s in (old, new) for each in profiles))
    count = before + 24
    read = [e async for e in read_exports(stack.event_hubs_connection_string, [names.hub], count=count, timeout=30)]
    places = {(e.properties["profileId"], e.partition) for e in read if e.properties["profileVersion"] == 2}
    assert places == {(each, str(partition_of(each, 4))) for each in profiles}


async def test_who_has_sent_nothing_for_long_looks_first(
    stack: LocalStack, names: UniqueNames, make_sender: MakeSender
) -> None:
    stack.broker.create_hub(names.hub, 1)
    sender = make_sender(send_timeout=20.0, partitions_known_for=0.1)
    await acknowledged(sender.enqueue(export_to(names.hub)))
    await made_anew(stack, names.hub, 4)
    await asyncio.sleep(0.2)
    profile = profiles_of(3, 1)[0]
    assert (await sender.enqueue(export_to(names.hub, profile, 2))).partition == "3"


async def test_a_hub_that_is_gone_fails_its_exports_with_the_reason(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    sender = make_sender(send_timeout=20.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.delete_hub(hub)
    with pytest.raises(SendError) as gone:
        await acknowledged(sender.enqueue(export_to(hub, version=2)))
    assert gone.value.code in {"unknown-hub", "bad-key"}  # of a refused token the SDK keeps no status
    stack.broker.create_hub(hub, 2)
    assert await eventually(lambda: taken(sender.enqueue(export_to(hub, version=3))))


# The end


@pytest.mark.parametrize("kind", ["stall", "throttle"])
async def test_closing_leaves_nobody_waiting(stack: LocalStack, hub: str, make_sender: MakeSender, kind: str) -> None:
    sender = make_sender(send_timeout=60.0)
    await acknowledged(sender.enqueue(export_to(hub)))
    stack.broker.set_faults(Fault(kind=kind, hub=hub))  # type: ignore[arg-type]
    first = sender.enqueue(export_to(hub, version=2))

    async def is_under_way() -> bool:
        return sum(fault.fired for fault in stack.broker.faults()) > 0

    assert await eventually(is_under_way)
    waiting = [first, sender.enqueue(export_to(hub, version=3))]
    await sender.close()
    assert all(each.done() for each in waiting)


# Traces


async def test_with_the_sdks_tracing_on_each_export_keeps_its_own_trace(
    stack: LocalStack, hub: str, make_sender: MakeSender
) -> None:
    traces, first = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 4)], "f" * 32
    exports = [replace(export_to(hub, version=version), traceparent=trace) for version, trace in enumerate(traces)]
    sender = make_sender()
    with sdk_tracing():
        with within_trace(first):
            waiting = [sender.enqueue(each) for each in exports]
        await acknowledged(*waiting, sender.enqueue(export_to(hub, version=3)))

    read = [e async for e in read_exports(stack.event_hubs_connection_string, [hub], count=4, timeout=20)]
    found = [(e.properties["traceparent"], e.properties["Diagnostic-Id"]) for e in read]
    assert found[:3] == [(each, each) for each in traces]
    assert found[3][0] == found[3][1]
    assert first not in found[3][0]


# Connection strings as app settings


@pytest.mark.parametrize("joined", ["; ", ";;", ";\n"])
@pytest.mark.parametrize("added", ["", "TransportType=AmqpWebSockets", "EntityPath=another-hub"])
async def test_what_the_check_finds_reachable_is_sent_to(
    stack: LocalStack, hub: str, make_sender: MakeSender, joined: str, added: str
) -> None:
    text = joined.join([*stack.event_hubs_connection_string.split(";"), added]).replace("KeyName=", "KeyName = ")
    found = parse_setting(Connection("EVENTHUBS", connection_string=text), local_allowed=True)
    checked = await EventHubsVerifier(stack.event_hubs.ports.control).verify(found.credentials, hub)
    assert isinstance(checked, Verified)
    await acknowledged(make_sender(text, 20.0).enqueue(export_to(hub)))
    assert stack.broker.stats().hubs[hub].events == 1
