"""`python -m local send`: what is in a file arrives on the queue, and what cannot is told."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from local import cli
from local.batches import MESSAGE_LIMIT
from local.emulators import storage_connection_string
from local.ports import Ports
from local.stack import LocalStack
from local.state import write_settings
from tests.conftest import UniqueNames
from tests.eventually import eventually
from tests.integration.local_command import LocalCommand


@pytest.fixture
def queue(stack: LocalStack, names: UniqueNames) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(stack.storage_connection_string, names.queue) as queue:
        queue.create_queue()
        yield queue


@pytest.fixture
def state(stack: LocalStack, queue: QueueClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in stack.settings:
        monkeypatch.delenv(name, raising=False)
    write_settings(tmp_path / "local.settings.json", stack.settings | {"PROFILE_CHANGES_QUEUE": queue.queue_name})
    return tmp_path


def send(state: Path, *lines: bytes, options: tuple[str, ...] = ()) -> int:
    file = state / "changes.ndjson"
    file.write_bytes(b"\n".join(lines))
    return cli.main(["send", "--state-dir", str(state), *options, str(file)])


def texts(queue: QueueClient) -> list[str]:
    return [message.content for message in queue.receive_messages(messages_per_page=32)]


def changes(queue: QueueClient) -> list[Any]:
    documents = [json.loads(text) for text in texts(queue)]
    return [change for document in documents for change in document.get("changes", [document])]


def test_a_file_arrives_whole_but_for_the_lines_that_are_reported(
    state: Path, queue: QueueClient, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [{"profileId": f"p{number}", "text": "ü<&>\uffff" * 20} for number in range(1_000)]
    lines = [json.dumps(change, ensure_ascii=False).encode() for change in good]
    lines[500:500] = [b"{bad", b"", b'{"x":"%s"}' % (b"y" * MESSAGE_LIMIT)]

    assert send(state, *lines) == 1

    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "line 501: not JSON: Expecting property name enclosed in double quotes at column 2",
        "line 503: too large: 65,544 bytes in the queue, where a message has at most 65,536",
    ]
    arrived = changes(queue)
    assert sorted(arrived, key=lambda change: int(change["profileId"][1:])) == good
    assert "sent 1,000 changes in " in printed.out
    assert printed.out.rstrip().endswith("2 lines refused")


@pytest.mark.parametrize("options", [(), ("--base64",)])
def test_the_largest_message_is_one_the_queue_takes(state: Path, queue: QueueClient, options: tuple[str, ...]) -> None:
    largest = MESSAGE_LIMIT * 3 // 4 if options else MESSAGE_LIMIT
    line = b'{"x":"%s"}' % (b"y" * (largest - len(b'{"x":""}')))
    assert send(state, line, options=options) == 0
    [text] = texts(queue)
    assert len(text) == MESSAGE_LIMIT


def test_to_the_rate(state: Path, queue: QueueClient) -> None:
    began = time.monotonic()
    assert send(state, *[b"{}"] * 60, options=("--rate", "100/s")) == 0
    assert 0.5 <= time.monotonic() - began < 5
    assert len(texts(queue)) == 6


async def test_standard_input_is_sent_when_it_pauses(state: Path, queue: QueueClient) -> None:
    def messages() -> int | None:
        return queue.get_queue_properties().approximate_message_count

    with LocalCommand("send", "--state-dir", state, "-", stdin=subprocess.PIPE) as command:
        assert command.process.stdin
        command.process.stdin.write('{"n":1}\n')
        assert await eventually(messages) == 1
        command.process.stdin.write('{"n":2}\n{"n":3}')
        command.process.stdin.close()
        assert command.wait() == 0
    assert changes(queue) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert "sent 3 changes in 2 messages" in command.stdout


def test_a_missing_queue_is_named_and_created_on_request(
    state: Path, stack: LocalStack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(state, b"{}", options=("--queue", "no-such-queue")) == 1
    assert "no-such-queue" in capsys.readouterr().err
    assert send(state, b"{}", options=("--queue", f"created-{os.getpid()}", "--create-queue")) == 0


def test_storage_that_does_not_answer(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    monkeypatch.setenv("RELAY_STORAGE", storage_connection_string(Ports(blob=port, queue=port, table=port)))
    assert send(state, b"{}") == 1
    assert f"no storage answers at http://127.0.0.1:{port}" in capsys.readouterr().err


def test_a_file_that_is_not_there(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["send", "--state-dir", str(state), "no-such-file"]) == 1
    assert "no-such-file cannot be read: No such file or directory" in capsys.readouterr().err
