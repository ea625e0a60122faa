"""Quarantine on real parts: the running app puts bad items there, the command line shows and replays them."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from local import cli
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from local.stack.state import RELAY_STORAGE, write_settings
from shared.adapters.queues import queue as queues
from shared.adapters.queues.changes import StorageChangesQueue
from shared.adapters.tables.quarantine import TableQuarantine
from shared.adapters.tables.service import table as tables
from shared.errors import MessageTooLargeError, StorageError
from shared.ports.quarantine import QuarantinedItem
from shared.settings import Connection
from tests.conftest import UniqueNames
from tests.kit.builders import NOW, destination, item, membership
from tests.kit.running_relay import RunningRelay

CONFIGURATION = {
    "audiences": [{"id": "a", "mergePolicyId": "m"}],
    "destinations": [destination("first")],
    "dataflows": [{"id": "first", "audiences": ["a"], "attributes": ["/x"]}],
}
BAD = b'{"bad":"\xc3\xbc <&>"}'


@pytest.fixture
def own_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    with LocalStack(tmp_path, hubs={"first": 4}) as stack:
        for name in stack.settings:
            monkeypatch.delenv(name, raising=False)
        write_settings(tmp_path / "local.settings.json", stack.settings)
        yield stack


async def run(stack: LocalStack, *arguments: str) -> int:
    return await asyncio.to_thread(cli.main, [*arguments, "--state-dir", str(stack.directory)])


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.runs_the_app
async def test_look_mend_replay(own_stack: LocalStack, capsys: pytest.CaptureFixture[str]) -> None:
    relay = RunningRelay(own_stack, CONFIGURATION)
    assert await run(own_stack, "quarantine") == 0
    assert capsys.readouterr().out == "nothing is in quarantine\n"
    await relay.start(lease_seconds=10)
    await relay.send(f'{{"changes":[{BAD.decode()}]}}', "!no base64!")
    await relay.handled()
    async with tables.Account(Connection(RELAY_STORAGE, own_stack.storage_connection_string)) as account:
        mended = json.dumps(item("mended", 1, segmentMembership=membership(1))).encode()
        await TableQuarantine(tables.Table(account, "Quarantine")).put(
            QuarantinedItem("old", 4, NOW, "item 4: mended since", mended, "mended")
        )

    assert await run(own_stack, "quarantine") == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ROW", "ID", "RECEIVED", "ITEM", "CODE", "REASON"]
    assert len(lines) == 3
    assert " ".join(lines[-1].split()) == "18231831199-old-4 2026-01-11T22:00:00Z 4 other item 4: mended since"
    assert await run(own_stack, "quarantine", "--json", "--limit", "1", "--reason", "/profileId") == 0
    (bad,) = objects(capsys.readouterr().out)
    assert (bad["body"].encode(), bad["item"]) == (BAD, 0)

    assert await run(own_stack, "replay", "18231831199-old-4", bad["rowId"], "no-such-row") == 1
    printed = capsys.readouterr()
    assert printed.out == "2 replayed, 1 failed\n"
    assert "there is no row 'no-such-row' in quarantine" in printed.err
    await relay.handled()

    assert [export.properties["profileId"] for export in await relay.exports()] == ["mended"]
    assert await run(own_stack, "quarantine", "--json") == 0
    again = {each["body"]: each["rowId"] for each in objects(capsys.readouterr().out)}
    assert again.keys() == {BAD.decode(), "!no base64!"}
    assert again[BAD.decode()] != bad["rowId"]
    assert await run(own_stack, "replay", "--all", "--reason", "no such reason") == 0
    assert await run(own_stack, "replay", "--all", "--reason", "base64") == 0
    assert await run(own_stack, "replay", "--all", "--json", "--reason", "no such reason") == 0
    assert capsys.readouterr().out == '0 replayed, 0 failed\n1 replayed, 0 failed\n{"replayed": 0, "failed": 0}\n'


async def test_odd_bytes_come_back_byte_for_byte(own_stack: LocalStack, capsys: pytest.CaptureFixture[str]) -> None:
    odd = [bytes(range(256)), '{"a":"\uffff"}'.encode(), b"{}\r\n", b" <&> \n", b""]
    async with tables.Account(Connection(RELAY_STORAGE, own_stack.storage_connection_string)) as account:
        table = tables.Table(account, "Quarantine")
        await table.create_if_missing()
        for number, raw in enumerate([*odd, b"\xff" * 65_536]):
            await TableQuarantine(table).put(QuarantinedItem(f"m{number}", None, NOW, "odd", raw))
    assert await run(own_stack, "quarantine", "--json") == 0
    assert base64.b64encode(odd[0]).decode() in {each.get("bodyBase64") for each in objects(capsys.readouterr().out)}

    assert await run(own_stack, "replay", "--all") == 1

    printed = capsys.readouterr()
    assert printed.out == "5 replayed, 1 failed\n"
    assert "18231831199-m5-message: 65,536 bytes do not fit a queue message" in printed.err
    with QueueClient.from_connection_string(own_stack.storage_connection_string, CHANGES_QUEUE) as queue:
        messages = list(queue.receive_messages())
    assert {message.expires_on.year for message in messages if message.expires_on} == {9999}
    encoded = [base64.b64encode(raw).decode() for raw in odd[:3]]
    assert sorted(message.content or "" for message in messages) == sorted([*encoded, " <&> \n", ""])


async def test_what_the_queue_refuses_is_named(stack: LocalStack, names: UniqueNames) -> None:
    async with queues.connect(Connection("STORAGE", stack.storage_connection_string), names.queue) as client:
        queue = StorageChangesQueue(client, names.queue)
        with pytest.raises(StorageError, match=f"queue {names.queue} is missing"):
            await queue.put(b"{}")
        await client.create_queue()
        with pytest.raises(MessageTooLargeError):
            await queue.put(b"x" * 65_537)


@pytest.mark.parametrize("arguments", [[], ["--all", "row-id"]])
def test_either_rows_or_all(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["replay", *arguments])


def test_a_reason_goes_with_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", "row-id", "--reason", "x"]) == 1
    assert "--reason goes with --all" in capsys.readouterr().err
