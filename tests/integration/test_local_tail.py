"""`python -m local tail` and the reader under it: what is in the hubs gets printed, old or new."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

from local import cli
from local.commands.tail import line_printer, readable_line
from local.exports import Export, read_exports
from local.ports import AUTOMATIC_PORTS
from local.stack.emulators import EventHubsBroker
from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from local.stack.state import write_settings
from tests.conftest import UniqueNames
from tests.kit.local_command import PATIENCE, LocalCommand

BODY = {
    "attributes": {"person": {"name": {"firstName": "Jörg"}}},
    "segmentMembership": {
        "ups": {
            "left": {"status": "exited", "lastQualificationTime": "2026-01-11T21:24:39Z"},
            "vip": {"status": "realized", "lastQualificationTime": "2026-01-11T21:24:39Z", "name": "VIP"},
        }
    },
}
PROPERTIES: dict[str | bytes, Any] = {"reason": "audience", "profileId": "p-1", "profileVersion": "1767225600000000"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EventHubsBroker]:
    """A stand-in of the test's own: `tail` reads all hubs there are, and these must not be other tests'."""
    hubs = {"crm": 2, "analytics": 1}
    broker = EventHubsBroker(tmp_path / "broker.log", AUTOMATIC_PORTS, hubs, consumer_groups=["loader"])
    broker.start()
    with broker:
        yield broker


@pytest.fixture
def state(broker: EventHubsBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EVENTHUBS", raising=False)
    settings = {"EVENTHUBS": broker.connection_string, "LOCAL_BROKER_CONTROL_PORT": str(broker.ports.control)}
    write_settings(tmp_path / "local.settings.json", settings)
    return tmp_path


def put(connection_string: str, hub: str, *bodies: object, profile_id: object = "p-1") -> None:
    with EventHubProducerClient.from_connection_string(connection_string, eventhub_name=hub) as producer:
        batch = producer.create_batch(partition_id="0")
        for body in bodies or [BODY]:
            event = EventData(body if isinstance(body, str | bytes) else json.dumps(body))
            event.content_type = "application/json"
            event.message_id = "m-1"
            event.raw_amqp_message.annotations = {b"x-opt-partition-key": "k-1"}
            event.properties = {**PROPERTIES, "profileId": profile_id}
            batch.add(event)
        producer.send_batch(batch)


def test_json_lines_until_the_pipe_is_closed(state: Path, broker: EventHubsBroker) -> None:
    put(broker.connection_string, "crm")
    command = [sys.executable, "-m", "local", "tail", "--json", "--hub", "crm", "--state-dir", str(state)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout
        assert tail.stderr
        printed = json.loads(tail.stdout.readline())
        tail.stdout.close()
        put(broker.connection_string, "crm")
        assert tail.wait(PATIENCE) == 0
        assert tail.stderr.read() == "reading crm\n"
    enqueued = datetime.fromisoformat(printed.pop("enqueuedTime"))
    assert abs((datetime.now(UTC) - enqueued).total_seconds()) < PATIENCE
    assert printed == {
        "hub": "crm",
        "partition": "0",
        "sequenceNumber": 0,
        "offset": "0",
        "contentType": "application/json",
        "messageId": "m-1",
        "partitionKey": "k-1",
        "properties": PROPERTIES,
        "body": BODY,
    }


def test_earliest_has_what_was_there_and_latest_follows_new_hubs(state: Path, broker: EventHubsBroker) -> None:
    put(broker.connection_string, "crm", profile_id="old")
    with (
        LocalCommand("tail", "--from", "latest", "--state-dir", state) as latest,
        LocalCommand("tail", "--count", "1", "--state-dir", state) as earliest,
    ):
        latest.wait_for("reading analytics, crm")
        assert earliest.wait() == 0
        put(broker.connection_string, "crm", profile_id="new")
        broker.control.create_hub("sales", 1)
        put(broker.connection_string, "sales", profile_id="newer")
        latest.wait_for(" new ")
        latest.wait_for(" newer ")
        latest.send_signal(signal.SIGINT)
        assert latest.wait() == 0

    def words(tail: LocalCommand) -> list[list[str]]:
        return sorted(line.split()[1:] for line in tail.stdout.splitlines())

    audiences = ["v1767225600000000", "+VIP", "-left"]
    assert words(earliest) == [["crm", "audience", "old", *audiences]]
    assert words(latest) == [["crm", "audience", "new", *audiences], ["sales", "audience", "newer", *audiences]]


def test_of_one_profile_alone(state: Path, broker: EventHubsBroker) -> None:
    put(broker.connection_string, "crm", "no JSON", profile_id="other")
    put(broker.connection_string, "crm", profile_id="wanted")
    with LocalCommand("tail", "--profile", "wanted", "--count", "1", "--state-dir", state) as tail:
        assert tail.wait() == 0
    assert [line.split()[3] for line in tail.stdout.splitlines()] == ["wanted"]


NOT_UTF8 = b"caf\xe9"
NESTED = b"[" * 100_000
FOREIGN: list[object] = [
    NOT_UTF8,
    NESTED,
    "no JSON",
    {"segmentMembership": ["x"]},
    {"segmentMembership": {"ups": "x"}},
    {"segmentMembership": {"ups": {"vip": "realized"}}},
    {"segmentMembership": None},
    ["x"],
]


@pytest.mark.parametrize("as_json", [False, True], ids=["lines", "json"])
def test_events_of_others_are_shown_and_read_past(state: Path, broker: EventHubsBroker, as_json: bool) -> None:
    put(broker.connection_string, "crm", *FOREIGN, profile_id=b"\xff")
    with EventHubProducerClient.from_connection_string(broker.connection_string, eventhub_name="crm") as producer:
        producer.send_batch([EventData(b"\xff")], partition_id="0")
    put(broker.connection_string, "crm", profile_id="ours")
    count = len(FOREIGN) + 2
    arguments = ["--json"] if as_json else []
    with LocalCommand("tail", "--count", str(count), "--state-dir", state, *arguments) as tail:
        assert tail.wait() == 0
    lines = tail.stdout.splitlines()
    assert len(lines) == count
    if as_json:
        shown = [json.loads(line) for line in lines]
        assert [each["body"] for each in shown[: len(FOREIGN)]] == ["caf\ufffd", NESTED.decode(), *FOREIGN[2:]]
        assert [each["properties"]["profileId"] for each in (shown[0], shown[-1])] == ["\ufffd", "ours"]
    else:
        assert all(line.endswith(" ?") for line in lines[:-1])
        assert lines[-2].split()[2:] == ["?", "?", "v?", "?"]
        assert lines[-1].endswith("+VIP -left")


def test_event_hubs_that_goes_away_is_noticed(state: Path, broker: EventHubsBroker) -> None:
    with LocalCommand("tail", "--state-dir", state) as tail:
        tail.wait_for("reading")
        broker.kill()
        assert tail.wait() == 1
    assert "error: the Event Hubs stand-in does not answer" in tail.stderr


@pytest.fixture
def others(broker: EventHubsBroker) -> Iterator[Callable[..., None]]:
    """Starts that many readers of hub analytics, in $Default; they read by the time that it returns."""
    clients: list[EventHubConsumerClient] = []
    threads: list[Thread] = []

    def start(count: int, **options: Any) -> None:
        put(broker.connection_string, "analytics")
        begun = [Event() for _ in range(count)]
        for each in begun:
            client = EventHubConsumerClient.from_connection_string(
                broker.connection_string, "$Default", eventhub_name="analytics"
            )
            read = partial(_set, each)
            clients.append(client)
            threads.append(
                Thread(target=client.receive, args=(read,), kwargs={"starting_position": "-1", **options}, daemon=True)
            )
            threads[-1].start()
        assert all(each.wait(PATIENCE) for each in begun)

    yield start
    for client in clients:
        client.close()
    for thread in threads:
        thread.join(PATIENCE)


def _set(event: Event, *_: object) -> None:
    event.set()


def tail_of_analytics(state: Path, *arguments: str) -> tuple[int, str]:
    with LocalCommand(
        "tail", "--hub", "analytics", "--count", "1", "--timeout", str(PATIENCE), "--state-dir", state, *arguments
    ) as tail:
        return tail.wait(), tail.stderr


def test_a_reader_that_holds_the_group_is_told_of_and_another_group_reads(
    state: Path, others: Callable[..., None]
) -> None:
    others(1, owner_level=0)
    code, errors = tail_of_analytics(state)
    assert code == 1
    assert "another reader holds consumer group '$Default' for itself" in errors
    assert "read in a group of your own, with --consumer-group" in errors
    assert tail_of_analytics(state, "--consumer-group", "loader")[0] == 0


def test_a_group_that_is_full_is_told_of(state: Path, others: Callable[..., None]) -> None:
    others(5)
    code, errors = tail_of_analytics(state)
    assert code == 1
    assert "consumer group '$Default' has as many readers of a partition as it may have, five" in errors


def test_a_group_that_is_not_there_is_told_of(state: Path) -> None:
    code, errors = tail_of_analytics(state, "--consumer-group", "nobody")
    assert code == 1
    assert "does the hub have the consumer group 'nobody'? python -m local up --consumer-group NAME" in errors


def test_a_reader_that_takes_the_partitions_over_ends_it(state: Path, others: Callable[..., None]) -> None:
    with LocalCommand("tail", "--hub", "analytics", "--state-dir", state) as tail:
        tail.wait_for("reading")
        others(1)
        tail.wait_for("p-1")
        others(1, owner_level=1)
        assert tail.wait() == 1
    assert "another reader holds consumer group '$Default' for itself" in tail.stderr


def test_a_hub_that_is_not_there_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tail", "--state-dir", str(state), "--hub", "nope"]) == 1
    assert "there is no hub nope in the local stack: it has analytics, crm" in capsys.readouterr().err


def test_the_end_of_the_time(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tail", "--state-dir", str(state), "--timeout", "0.5"]) == 0
    assert capsys.readouterr().out == ""


def test_what_did_not_come_in_time_is_an_exit_code_of_its_own(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--profile", "nobody", "--count", "1", "--timeout", "0.5", "--state-dir", str(state))
    assert cli.main(["tail", *arguments]) == 4
    assert "0 of 1 arrived within 0.5 s" in capsys.readouterr().err


def test_pretty_shows_a_heading_and_bodies(capsys: pytest.CaptureFixture[str]) -> None:
    print_export = line_printer(pretty=True)
    print_export(arrived({str(name): value for name, value in PROPERTIES.items()}, BODY))
    heading, line, *body = capsys.readouterr().out.splitlines()
    assert heading.split() == ["TIME", "HUB", "REASON", "PROFILE", "VERSION", "AUDIENCES"]
    assert [line.index(each) for each in ("crm", "audience", "p-1", "v1767")] == [
        heading.index(each) for each in ("HUB", "REASON", "PROFILE", "VERSION")
    ]
    assert json.loads("\n".join(body)) == BODY


async def test_the_reader_ends_at_its_count_and_at_its_timeout(stack: LocalStack, names: UniqueNames) -> None:
    stack.broker.create_hub(names.hub, 1)
    connection_string = stack.event_hubs_connection_string
    put(connection_string, names.hub, {"number": 1}, "no JSON", {"number": 3})
    connection_string = connection_string.replace(";", " ;; ").replace("=", " = ", 1)  # as an app setting may be
    two = [export.body async for export in read_exports(connection_string, [names.hub], count=2, timeout=20)]
    assert two == [{"number": 1}, "no JSON"]
    late = [export async for export in read_exports(connection_string, [names.hub], start="latest", timeout=0.2)]
    assert late == []


def arrived(properties: dict[str, Any], body: Any) -> Export:
    return Export(
        hub="crm",
        partition="0",
        sequence_number=0,
        offset="0",
        enqueued_time=datetime(2026, 1, 11, 21, 24, 39, tzinfo=UTC),
        content_type=None,
        message_id=None,
        partition_key=None,
        properties=properties,
        body=body,
    )


def test_data_does_not_drive_the_terminal() -> None:
    export = arrived({"profileId": "a\x1b[2J[red]b"}, {"segmentMembership": None})
    line = readable_line(export).plain
    assert "a\N{REPLACEMENT CHARACTER}[2J[red]b" in line
    assert line.isprintable()
