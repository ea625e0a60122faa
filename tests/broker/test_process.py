"""The Event Hubs stand-in as a process: its options, its help, its end."""

import json
import re
import signal
import subprocess

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from local.broker.control import BrokerControl, BrokerControlError, connection_string
from tests.broker.clients import IMPATIENT, PATIENCE, SERVER, SOCKETS_ARE_LEFT, Broker

pytestmark = SOCKETS_ARE_LEFT


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
            assert process.wait(timeout=30) == 0
        assert (process.stdout.read(), process.stderr.read()) == ("", "")
    with pytest.raises(BrokerControlError):
        BrokerControl(ready["controlPort"]).hubs()
