"""samples/consumer.py reads what is in a hub as the README promises that a consumer may."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from local.broker.control import Fault
from local.stack.local_stack import LocalStack
from tests.conftest import UniqueNames

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
LIVE = {"a": "realized"}
LEFT = {"a": "exited"}


def export(
    profile_id: str, version: int, revision: int = 1, statuses: dict[str, str] = LIVE, destination_id: str = "crm"
) -> EventData:
    memberships = {
        audience: {"status": status, "lastQualificationTime": "2026-01-11T21:00:00Z"}
        for audience, status in statuses.items()
    }
    event = EventData(json.dumps({"segmentMembership": {"ups": memberships}, "identityMap": {}}))
    event.content_type = "application/json"
    event.message_id = f"{destination_id} {profile_id} {version} {revision}"
    event.properties = {
        "reason": "audience",
        "destinationId": destination_id,
        "profileId": profile_id,
        "profileVersion": _long(version),
        "configRevision": _long(revision),
    }
    return event


def _long(value: int) -> dict[str, Any]:
    return {"TYPE": "LONG", "VALUE": value}


def put(stack: LocalStack, hub: str, partition: str, *events: EventData) -> None:
    with EventHubProducerClient.from_connection_string(
        stack.event_hubs_connection_string, eventhub_name=hub
    ) as producer:
        batch = producer.create_batch(partition_id=partition)
        for event in events:
            batch.add(event)
        producer.send_batch(batch)


def _heed_interrupts() -> None:
    """Where the tests run as a shell's background job, SIGINT is ignored, and children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def consumer(
    stack: LocalStack, hub: str, *arguments: str, program: Sequence[str] = ("samples/consumer.py",)
) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, *program, "--hub", hub, *arguments]
    environment = os.environ | {"EVENTHUBS": stack.event_hubs_connection_string}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read(stack: LocalStack, hub: str, *arguments: str) -> tuple[list[str], str]:
    """What the consumer prints before its summary, and the summary. Both partitions end with a profile of their own."""
    for partition in "01":
        put(stack, hub, partition, export(f"end-{partition}", 1))
    with consumer(stack, hub, "--timeout", str(PATIENCE), *arguments) as process:
        assert process.stdout
        lines: list[str] = []
        while sum("'end-" in line for line in lines) < 2:
            lines.append(process.stdout.readline().strip())
            assert lines[-1], process.communicate()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    return [line for line in lines if "'end-" not in line], rest.strip()


@pytest.fixture
def hub(stack: LocalStack, names: UniqueNames) -> str:
    stack.broker.create_hub(names.hub, 2)
    return names.hub


def test_the_latest_export_counts_in_any_order(stack: LocalStack, hub: str) -> None:
    great = 1_768_166_679_000_000
    put(
        stack,
        hub,
        "0",
        export("p", great + 2),
        export("p", great + 1, statuses=LEFT),
        export("p", great + 2),
        export("p", great + 2, revision=2),
        export("p", great + 2),
        export("p", great + 2, destination_id="ads", revision=1),
        EventData("no JSON"),
        EventData("{}"),
    )
    lines, summary = read(stack, hub)
    assert lines == [
        f"new     crm 'p' (version {great + 2}, revision 1): audience",
        f"changed crm 'p' (version {great + 2}, revision 2): audience",
        f"new     ads 'p' (version {great + 2}, revision 1): audience",
    ]
    assert summary == "10 events: 4 profiles live, 0 gone; dropped 1 duplicates, 2 older, 2 unknown"


def foreign(**changes: Any) -> EventData:
    """An export but for some of its properties; None takes one away."""
    event = export("foreign", 1)
    given: dict[Any, Any] = {**(event.properties or {}), **changes}
    event.properties = {name: value for name, value in given.items() if value is not None}
    return event


def test_events_of_others_are_counted_and_read_past(stack: LocalStack, hub: str) -> None:
    """Any of them, were it to raise, would be read again for ever, and nothing after it."""
    odd_memberships = [[], ["x"], "x", 1, None, {"ups": ["x"]}, {"ups": {"a": "realized"}}, {"ups": {"a": {}}}]
    bodies = [
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 5_000,
        *(json.dumps({"segmentMembership": membership}).encode() for membership in odd_memberships),
    ]
    with_other_bodies = [EventData(body) for body in bodies]
    for event in with_other_bodies:
        event.properties = export("foreign", 1).properties
    others = [
        foreign(destinationId=b"\xff"),
        foreign(reason=None),
        foreign(profileVersion=float("inf")),
        foreign(profileVersion=b"\xff"),
        *with_other_bodies,
    ]
    ours = export("p", 1, destination_id="crm\x1b[2J")
    assert ours.properties is not None
    ours.properties["another"] = b"\xff\x00"
    put(stack, hub, "0", *others, ours)
    lines, summary = read(stack, hub)
    assert lines == ["new     crm?[2J 'p' (version 1, revision 1): audience"]
    unknown = len(others)
    assert summary == (
        f"{unknown + 3} events: 3 profiles live, 0 gone; dropped 0 duplicates, 0 older, {unknown} unknown"
    )


def test_who_left_every_mapped_audience_is_gone_and_stays_gone(stack: LocalStack, hub: str) -> None:
    put(
        stack,
        hub,
        "1",
        export("p", 1, statuses={"a": "realized", "b": "exited"}),
        export("p", 3, statuses={"a": "exited", "b": "exited"}),
        export("p", 2),
        export("p", 4, statuses={"a": "exited", "b": "exited"}),
        export("q", 1, statuses=LEFT),
        export("r", 2, statuses=LEFT),
        export("r", 3),
        export("s", 1, statuses={"a": "exited", "not mapped": "realized"}),
    )
    lines, summary = read(stack, hub, "--audience", "a", "--audience", "b")
    assert [line.partition(" (")[0].split() for line in lines] == [
        ["new", "crm", "'p'"],
        ["gone", "crm", "'p'"],
        ["changed", "crm", "'p'"],
        ["gone", "crm", "'q'"],
        ["gone", "crm", "'r'"],
        ["back", "crm", "'r'"],
        ["gone", "crm", "'s'"],
    ]
    assert summary == "10 events: 3 profiles live, 3 gone; dropped 0 duplicates, 1 older, 0 unknown"


def test_the_end_of_the_time(stack: LocalStack, hub: str) -> None:
    with consumer(stack, hub, "--timeout", "0.5") as process:
        out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, f"reading {hub}, 2 partitions\n")
    assert out == "0 events: 0 profiles live, 0 gone; dropped 0 duplicates, 0 older, 0 unknown\n"


DEAF_ONCE = """
import asyncio, contextlib, sys
from samples import consumer

async def deaf_once(client, *_, **options):
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)

consumer.EventHubConsumerClient.receive = deaf_once
consumer.HEEDED_WITHIN = 0.01
sys.exit(consumer.main())
"""


def test_the_end_of_the_time_where_the_sdk_misses_it(stack: LocalStack, hub: str) -> None:
    with consumer(stack, hub, "--timeout", "0.1", program=("-c", DEAF_ONCE)) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, f"reading {hub}, 2 partitions\n")


AT_ONCE = """
import sys
from samples import consumer
consumer.SILENT_AFTER = 0.2
sys.exit(consumer.main())
"""
SOON = """
import sys
from samples import consumer
consumer.SILENT_AFTER = 1.0
sys.exit(consumer.main())
"""
ONCE_HEARD = """
import asyncio, sys
from samples import consumer

async def until_heard(client, table, partitions, consumer_group):
    while table.heard_of != set(partitions):
        await asyncio.sleep(0.01)
    print("all were heard", file=sys.stderr, flush=True)

consumer.tell_of_silence = until_heard
consumer.WORD_EVERY = 0.1
sys.exit(consumer.main())
"""


@pytest.mark.parametrize(
    ("program", "group", "word"),
    [
        (
            AT_ONCE,
            "nobody",
            "no word of partitions 0, 1: may this reader still sign in, is there a consumer group",
        ),
        (ONCE_HEARD, "$Default", "all were heard"),
    ],
    ids=["a group that is not there", "a hub without events"],
)
def test_partitions_that_let_it_not_in_are_told_of(
    stack: LocalStack, hub: str, program: str, group: str, word: str
) -> None:
    with consumer(stack, hub, "--consumer-group", group, program=["-c", program]) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("reading")
        assert process.stderr.readline().startswith(word)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def wait_for(process: "subprocess.Popen[str]", beginning: str) -> None:
    """Read what it says to the operator until a line begins so."""
    assert process.stderr
    while not (line := process.stderr.readline()).startswith(beginning):
        assert line, f"ended without {beginning!r}"


def test_a_reader_that_may_not_sign_in_any_more_is_told_of(stack: LocalStack, hub: str) -> None:
    """Of that the SDK tells nobody; and it reads on once it may again."""
    with consumer(stack, hub, program=["-c", SOON]) as process:
        assert process.stdout
        put(stack, hub, "0", export("p", 1))
        assert process.stdout.readline().startswith("new")
        stack.broker.set_faults(Fault(kind="auth-failure", hub=hub))
        for status in ("Disabled", "Active"):  # which closes its links
            stack.broker.set_hub_status(hub, status)
        wait_for(process, "the hub cannot be asked any more")
        stack.broker.clear_faults()
        wait_for(process, "word of every partition again")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def test_each_transition_is_told_once_also_by_exports_that_are_dropped(stack: LocalStack, hub: str) -> None:
    def telling(version: int, **told: str) -> EventData:
        event = export("p", version)
        given: dict[Any, Any] = {**(event.properties or {}), **told}
        event.properties = given
        return event

    put(
        stack,
        hub,
        "0",
        telling(2, left="ups/a", transitionIds="left-2"),
        telling(1, entered="ups/a", transitionIds="entered-1"),
        telling(3, entered="ups/a,ups/b", left="ups/a", transitionIds="entered-1,left-2,entered-3"),
        telling(4, transitionIds="left-4"),
    )
    lines, summary = read(stack, hub)
    assert [line for line in lines if "version" not in line] == [
        "crm 'p' left ups/a",
        "crm 'p' entered ups/a",
        "crm 'p' entered ups/b",
    ]
    assert summary.endswith("0 duplicates, 1 older, 1 unknown")


def test_a_hub_that_is_not_there_ends_it(stack: LocalStack) -> None:
    with consumer(stack, "no-such-hub", "--timeout", "60") as process:
        out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert "hub no-such-hub cannot be read" in errors
