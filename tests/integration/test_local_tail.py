"""`python -m local tail` and the reader under it: what is in the hubs gets printed, old or new."""

import json
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from local.emulators import EventHubsBroker
from local.exports import Export, read_exports
from local.ports import AUTOMATIC_PORTS
from local.stack import LocalStack
from local.state import write_settings
from local.tail import readable_line
from tests.integration.conftest import UniqueNames
from tests.integration.local_command import LocalCommand

BODY = {
    "attributes": {"person": {"name": {"firstName": "Jörg"}}},
    "segmentMembership": {
        "ups": {
            "left": {"status": "exited", "lastQualificationTime": "2026-01-11T21:24:39Z"},
            "vip": {"status": "realized", "lastQualificationTime": "2026-01-11T21:24:39Z", "name": "VIP"},
        }
    },
}
PROPERTIES = {"reason": "audience", "profileId": "p-1", "profileVersion": "1767225600000000"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EventHubsBroker]:
    """A stand-in of the test's own: `tail` reads all hubs there are, and these must not be other tests'."""
    broker = EventHubsBroker(tmp_path / "broker.log", AUTOMATIC_PORTS, {"crm": 2, "analytics": 1})
    broker.start()
    with broker:
        yield broker


@pytest.fixture
def state(broker: EventHubsBroker, tmp_path: Path) -> Path:
    settings = {"EVENTHUBS": broker.connection_string, "LOCAL_BROKER_CONTROL_PORT": str(broker.ports.control)}
    write_settings(tmp_path / "local.settings.json", settings)
    return tmp_path


def put(connection_string: str, hub: str, body: object = BODY, properties: Mapping[str, Any] = PROPERTIES) -> None:
    with EventHubProducerClient.from_connection_string(connection_string, eventhub_name=hub) as producer:
        event = EventData(body if isinstance(body, str) else json.dumps(body))
        event.content_type = "application/json"
        event.message_id = "m-1"
        event.properties = dict(properties)
        batch = producer.create_batch(partition_id="0")
        batch.add(event)
        producer.send_batch(batch)


def test_json_lines_of_all_hubs_then_the_end(state: Path, broker: EventHubsBroker) -> None:
    put(broker.connection_string, "crm")
    put(broker.connection_string, "analytics", "no JSON")
    with LocalCommand("tail", "--json", "--count", "2", "--state-dir", state) as tail:
        assert tail.wait() == 0
    assert tail.stderr == "reading analytics, crm\n"
    printed = {line["hub"]: line for line in map(json.loads, tail.stdout.splitlines())}
    enqueued = datetime.fromisoformat(printed["crm"].pop("enqueuedTime"))
    assert abs((datetime.now(UTC) - enqueued).total_seconds()) < 60
    assert printed["crm"] == {
        "hub": "crm",
        "partition": "0",
        "sequenceNumber": 0,
        "offset": "0",
        "contentType": "application/json",
        "messageId": "m-1",
        "properties": PROPERTIES,
        "body": BODY,
    }
    assert printed["analytics"]["body"] == "no JSON"


def test_latest_leaves_out_what_was_there_and_follows_new_hubs(state: Path, broker: EventHubsBroker) -> None:
    put(broker.connection_string, "crm", properties=PROPERTIES | {"profileId": "old"})
    with LocalCommand("tail", "--from", "latest", "--state-dir", state) as tail:
        tail.wait_for("reading analytics, crm")
        put(broker.connection_string, "crm", properties=PROPERTIES | {"profileId": "new"})
        broker.control.create_hub("sales", 1)
        put(broker.connection_string, "sales", properties=PROPERTIES | {"profileId": "newer"})
        tail.wait_for(" new ")
        tail.wait_for(" newer ")
        tail.send_signal(signal.SIGINT)
        assert tail.wait() == 0
    lines = [line.split()[1:] for line in tail.stdout.splitlines()]
    audiences = ["+VIP", "-left", "v1767225600000000"]
    assert sorted(lines) == [["crm", "audience", "new", *audiences], ["sales", "audience", "newer", *audiences]]


def test_a_closed_pipe_is_no_error(state: Path, broker: EventHubsBroker) -> None:
    for _ in range(3):
        put(broker.connection_string, "crm")
    with LocalCommand("tail", "--state-dir", state, "--hub", "crm") as tail:
        assert tail.process.stdout
        tail.wait_for("p-1")
    assert tail.stderr == "reading crm\n"


def test_event_hubs_that_goes_away_is_noticed(state: Path, broker: EventHubsBroker) -> None:
    with LocalCommand("tail", "--state-dir", state) as tail:
        tail.wait_for("reading")
        broker.kill()
        assert tail.wait() == 1
    assert "error: the Event Hubs stand-in does not answer" in tail.stderr


def test_a_hub_that_is_not_there_is_named_and_the_timeout_kept(state: Path, broker: EventHubsBroker) -> None:
    with (
        LocalCommand("tail", "--state-dir", state, "--hub", "nope") as missing,
        LocalCommand("tail", "--state-dir", state, "--timeout", "1") as timely,
    ):
        assert missing.wait() == 1
        assert timely.wait() == 0
    assert "there is no hub nope in the local stack: it has analytics, crm" in missing.stderr
    assert timely.stdout == ""


async def test_the_reader_ends_at_its_count_and_at_its_timeout(stack: LocalStack, names: UniqueNames) -> None:
    stack.broker.create_hub(names.hub, 1)
    for number in range(3):
        put(stack.event_hubs_connection_string, names.hub, {"number": number})
    connection_string = stack.event_hubs_connection_string
    two = [export.body["number"] async for export in read_exports(connection_string, [names.hub], count=2, timeout=20)]
    assert two == [0, 1]
    late = [export async for export in read_exports(connection_string, [names.hub], start="latest", timeout=0.2)]
    assert late == []


def test_data_does_not_drive_the_terminal() -> None:
    export = Export(
        hub="crm",
        partition="0",
        sequence_number=0,
        offset="0",
        enqueued_time=datetime(2026, 1, 11, 21, 24, 39, tzinfo=UTC),
        content_type=None,
        message_id=None,
        properties={"profileId": "a\x1b[2J[red]b"},
        body={"segmentMembership": None},
    )
    line = readable_line(export).plain
    assert "a\N{REPLACEMENT CHARACTER}[2J[red]b" in line
    assert line.isprintable()
