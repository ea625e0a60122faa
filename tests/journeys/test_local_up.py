"""`python -m local up`: all of it starts, all of it stops, and what goes wrong is told."""

import json
import os
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest
from azure.eventhub import EventData, EventHubProducerClient
from azure.storage.queue import QueueServiceClient

from local.broker.control import BrokerControl
from local.errors import PartFailedError, PortsTakenError
from local.ports import Ports, require_free
from local.stack.local_stack import QUEUES, LocalStack
from tests.conftest import UniqueNames
from tests.kit import running_host
from tests.kit.local_command import LocalCommand, still_running

UP = ("up", *running_host.OPTIONS, "--ports", "auto")


def settings_in(state: Path) -> dict[str, str]:
    values: dict[str, str] = json.loads((state / "local.settings.json").read_text())["Values"]
    return values


def queue_names(storage: str) -> set[str]:
    with QueueServiceClient.from_connection_string(storage) as service:
        return {queue.name for queue in service.list_queues()}


@pytest.mark.runs_the_app
def test_up_starts_everything_keeps_others_out_and_leaves_nothing(tmp_path: Path) -> None:
    declared = ("--hub", "sales:2", "--consumer-group", "loader")
    with LocalCommand(*UP, "--in-memory", *declared, "--state-dir", tmp_path) as up:
        up.wait_for("Ready.")
        values = settings_in(tmp_path)
        children = up.children()

        for part in ("azurite.js", "broker/server.js", running_host.PROCESS):
            assert any(part in args for args in children)
        assert all(text in up.stdout for text in (values["RELAY_STORAGE"], values["EVENTHUBS"], str(tmp_path)))
        assert queue_names(values["RELAY_STORAGE"]) >= set(QUEUES)
        assert BrokerControl(int(values["LOCAL_BROKER_CONTROL_PORT"])).hubs() == {"sales": 2}
        console = re.search(r"^Console +(http\S+)$", up.stdout, re.MULTILINE)
        assert console
        assert "<h1>Destinations</h1>" in httpx.get(console[1], timeout=60).text

        with EventHubProducerClient.from_connection_string(values["EVENTHUBS"], eventhub_name="sales") as producer:
            producer.send_batch([EventData("{}")])
        with LocalCommand("tail", "--consumer-group", "loader", "--count", "1", "--state-dir", tmp_path) as tail:
            assert tail.wait() == 0, tail.stderr

        with LocalCommand(*UP, "--state-dir", tmp_path) as second:
            assert second.wait() == 1
        assert f"runs already in {tmp_path} (process {up.process.pid})" in second.stderr

        up.send_signal(signal.SIGINT)
        assert up.wait() == 0
    assert up.stderr == ""
    assert still_running(list(children.values())) == []
    assert not (tmp_path / "local.settings.json").exists()


def test_what_was_stored_and_the_hubs_are_there_again(tmp_path: Path, names: UniqueNames) -> None:
    command = (*UP, "--no-functions-host", "--state-dir", tmp_path)
    with LocalCommand(*command) as first:
        first.wait_for("Ready.")
        values = settings_in(tmp_path)
        with QueueServiceClient.from_connection_string(values["RELAY_STORAGE"]) as service:
            service.create_queue(names.queue)
        BrokerControl(int(values["LOCAL_BROKER_CONTROL_PORT"])).create_hub(names.hub, 3)
        first.send_signal(signal.SIGTERM)
        assert first.wait() == 0
    with LocalCommand(*command) as second:
        second.wait_for("Ready.")
        values = settings_in(tmp_path)
        assert names.queue in queue_names(values["RELAY_STORAGE"])
        assert BrokerControl(int(values["LOCAL_BROKER_CONTROL_PORT"])).hubs() == {
            "crm": 4,
            "analytics": 4,
            names.hub: 3,
        }


def test_when_a_part_dies_it_is_named_and_the_rest_stopped(tmp_path: Path) -> None:
    with LocalCommand(*UP, "--in-memory", "--no-functions-host", "--state-dir", tmp_path) as up:
        up.wait_for("Ready.")
        children = up.children()
        [broker] = [pid for args, pid in children.items() if "broker/server.js" in args]
        os.kill(broker, signal.SIGKILL)
        assert up.wait() == 1
    assert f"error: Event Hubs stand-in died; read {tmp_path}/logs/event-hubs.log" in up.stderr
    assert still_running(list(children.values())) == []
    assert not (tmp_path / "local.settings.json").exists()


@pytest.mark.runs_the_app
def test_ctrl_c_while_starting(tmp_path: Path) -> None:
    with LocalCommand(*UP, "--in-memory", "--state-dir", tmp_path) as up:
        up.wait_for("started Azurite")
        children = list(up.children().values())
        up.send_signal(signal.SIGINT)
        assert up.wait() == 0
    assert "Ready." not in up.stdout
    assert up.stderr == ""
    assert children
    assert still_running(children) == []


def test_a_taken_port_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with pytest.raises(PortsTakenError, match=rf"port {port} \(for Azurite's queues\).*--ports auto"):
            require_free(Ports(queue=port))
        with pytest.raises(PortsTakenError, match="functions host"):
            require_free(Ports(http=port))
        require_free(Ports(http=port), without_http=True)


def test_a_part_that_does_not_start_takes_the_others_with_it(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, hubs={"": 4})
    with pytest.raises(PartFailedError, match=r"(?s)Event Hubs stand-in ended before .*event-hubs\.log\n.*--hub"):
        stack.start()
    assert not stack.azurite.running


@pytest.mark.runs_the_app
def test_a_functions_host_that_does_not_start_says_why(stack: LocalStack, tmp_path: Path) -> None:
    with pytest.raises(PartFailedError, match=r"(?s)functions host.* ended before .*functions-host.*\.log\n"):
        stack.start_functions_host(kind=running_host.KIND, app_dir=tmp_path)


@pytest.mark.runs_the_app
def test_a_functions_host_comes_back_at_its_address_after_a_crash(stack: LocalStack, names: UniqueNames) -> None:
    stack.create_queues([names.queue])
    with stack.start_functions_host(kind=running_host.KIND, settings={"PROFILE_CHANGES_QUEUE": names.queue}) as host:
        address, first = host.url, host.pid
        host.kill()
        assert still_running([first]) == []
        assert not host.died, "it was asked for"
        host.start()
        assert (host.url, host.running) == (address, True)
        assert still_running([host.pid]) == [host.pid]
