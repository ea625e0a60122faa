"""`python -m local send`: what is in a file arrives on the queue, and what cannot is told."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from local import cli
from local.eventually import eventually
from local.ports import Ports
from local.stack.emulators import storage_connection_string
from local.stack.local_stack import LocalStack
from local.stack.state import write_settings
from shared.adapters.queues.changes import StorageChangesQueue
from shared.domain.messages.batches import MESSAGE_LIMIT
from shared.errors import StorageError
from tests.conftest import UniqueNames
from tests.kit.local_command import LocalCommand


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


def change_of(profile_id: str, text: str = "") -> dict[str, Any]:
    return {"profileId": profile_id, "occurredAt": "2026-01-11T21:00:00Z", "attributes": {"text": text}}


def line_of(profile_id: str, text: str = "") -> bytes:
    return json.dumps(change_of(profile_id, text), ensure_ascii=False).encode()


def test_a_file_arrives_whole_but_for_the_lines_that_are_reported_and_kept(
    state: Path, queue: QueueClient, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [change_of(f"p{number}", "ü<&>\uffff" * 20) for number in range(1_000)]
    lines = [json.dumps(change, ensure_ascii=False).encode() for change in good]
    bad = [b"{bad", b'{"profileId":"q"}', line_of("q", "y" * MESSAGE_LIMIT)]
    lines[500:500] = [bad[0], b"", *bad[1:]]

    assert send(state, *lines, options=("--refused", str(state / "refused.ndjson"))) == 3

    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "line 501: not JSON: Expecting property name enclosed in double quotes at column 2",
        "line 503: /occurredAt: expected this field, which is missing",
        "line 504: too large: 65,620 bytes in the queue, where a message has at most 65,536",
    ]
    assert (state / "refused.ndjson").read_bytes() == b"\n".join(bad) + b"\n"
    arrived = changes(queue)
    assert sorted(arrived, key=lambda change: int(change["profileId"][1:])) == good
    assert "sent 1,000 changes in " in printed.out
    assert printed.out.rstrip().endswith("3 lines refused")


def test_unchecked_goes_what_the_app_will_put_in_quarantine(state: Path, queue: QueueClient) -> None:
    assert send(state, b'{"no":"change"}', b"{bad", options=("--unchecked",)) == 3
    assert changes(queue) == [{"no": "change"}]


def test_from_a_line_on(state: Path, queue: QueueClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert send(state, b"{bad", line_of("p"), line_of("q"), options=("--from-line", "2", "--json")) == 0
    sent = {"to": queue.queue_name, "changes": 2, "messages": 1, "refusedLines": 0}
    assert json.loads(capsys.readouterr().out) == sent
    assert [change["profileId"] for change in changes(queue)] == ["p", "q"]


def test_it_says_where_to_go_on_when_the_queue_fails(
    state: Path, queue: QueueClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put, left = StorageChangesQueue.put, 2

    async def put_two(target: StorageChangesQueue, body: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise StorageError("queue q: could not put a message: HTTP 503")
        await put(target, body)

    lines = [line_of(f"p{number}") for number in range(10)]
    with monkeypatch.context() as patch:
        patch.setattr(StorageChangesQueue, "put", put_two)
        assert send(state, *lines, options=("--batch-bytes", "250")) == 1
    error = capsys.readouterr().err
    assert "HTTP 503; 4 changes were sent for certain: send again with --from-line 5, duplicates do no harm" in error
    assert send(state, *lines, options=("--from-line", "5")) == 0
    assert sorted(change["profileId"] for change in changes(queue)) == [f"p{number}" for number in range(10)]


@pytest.mark.parametrize("options", [(), ("--base64",)])
def test_the_largest_message_is_one_the_queue_takes(state: Path, queue: QueueClient, options: tuple[str, ...]) -> None:
    largest = MESSAGE_LIMIT * 3 // 4 if options else MESSAGE_LIMIT
    line = line_of("p", "y" * (largest - len(line_of("p"))))
    assert send(state, line, options=options) == 0
    [text] = texts(queue)
    assert len(text) == MESSAGE_LIMIT


def test_to_the_rate(state: Path, queue: QueueClient) -> None:
    assert send(state, *[line_of("p")] * 60, options=("--rate", "500/s")) == 0
    assert len(texts(queue)) == 2


@pytest.mark.parametrize(
    ("url", "more", "reason"),
    [
        ("https://contoso.queue.core.windows.net/q?sig=secret", (), "without a key"),
        ("https://contoso.queue.core.windows.net/q", ("--create-queue",), "nothing else goes with it"),
        ("https://contoso.queue.core.windows.net", (), "expected the URL of a queue"),
    ],
)
def test_another_queue_is_named_by_its_address_alone(
    state: Path, capsys: pytest.CaptureFixture[str], url: str, more: tuple[str, ...], reason: str
) -> None:
    assert send(state, line_of("p"), options=("--queue-url", url, *more)) == 1
    printed = capsys.readouterr()
    assert reason in printed.err
    assert "secret" not in printed.err + printed.out


async def test_standard_input_is_sent_when_it_pauses(state: Path, queue: QueueClient) -> None:
    def messages() -> int | None:
        return queue.get_queue_properties().approximate_message_count

    with LocalCommand("send", "--state-dir", state, "-", stdin=subprocess.PIPE) as command:
        assert command.process.stdin
        command.process.stdin.write(f"{line_of('p1').decode()}\n")
        assert await eventually(messages) == 1
        command.process.stdin.write(f"{line_of('p2').decode()}\n{line_of('p3').decode()}")
        command.process.stdin.close()
        assert command.wait() == 0
    assert [change["profileId"] for change in changes(queue)] == ["p1", "p2", "p3"]
    assert "sent 3 changes in 2 messages" in command.stdout


async def test_an_interrupt_says_what_was_sent(state: Path, queue: QueueClient) -> None:
    def messages() -> int | None:
        return queue.get_queue_properties().approximate_message_count

    with LocalCommand("send", "--state-dir", state, "-", stdin=subprocess.PIPE) as command:
        assert command.process.stdin
        command.process.stdin.write(f"{line_of('p1').decode()}\n")
        assert await eventually(messages) == 1
        command.send_signal(signal.SIGINT)
        assert command.wait() == 130
    assert re.fullmatch(r"interrupted: [01] changes .* --from-line [12], duplicates do no harm\n", command.stderr)


def test_a_missing_queue_is_named_and_created_on_request(
    state: Path, stack: LocalStack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(state, line_of("p"), options=("--queue", "no-such-queue")) == 1
    assert "no-such-queue" in capsys.readouterr().err
    assert send(state, line_of("p"), options=("--queue", f"created-{os.getpid()}", "--create-queue")) == 0


def test_storage_that_does_not_answer(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    monkeypatch.setenv("RELAY_STORAGE", storage_connection_string(Ports(blob=port, queue=port, table=port)))
    assert send(state, line_of("p")) == 1
    assert f"no storage answers at http://127.0.0.1:{port}" in capsys.readouterr().err


def test_a_file_that_is_not_there(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["send", "--state-dir", str(state), "no-such-file"]) == 1
    assert "no-such-file cannot be read: No such file or directory" in capsys.readouterr().err
