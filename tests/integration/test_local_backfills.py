"""`python -m local backfills` on real storage: what is asked for, at work and ended; the test plays the timer."""

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from local import cli
from local.commands.backfills import NONE
from local.relay import opened_relay
from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from local.stack.state import RELAY_STORAGE, StateDirectory, write_settings
from shared.adapters.queues.pointers import SLICES
from shared.adapters.tables.configuration import TableConfiguration
from shared.adapters.tables.health import TableHealth
from shared.adapters.tables.service import table as tables
from shared.bootstrap import Relay, clock
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import MINUTE
from shared.services.configuration.apply import apply_configuration
from shared.settings import Connection
from tests.kit.builders import destination
from tests.kit.local_command import PATIENCE, LocalCommand

CONFIGURATION = {
    "audiences": [{"id": "a", "name": "Buyers"}],
    "destinations": [destination("crm")],
    "dataflows": [{"id": "crm", "audiences": ["a"]}],
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of a stack of the test's own, without functions: all backfills there are must be its."""
    with LocalStack(tmp_path, hubs={"crm": 1}) as stack:
        for name in stack.settings:
            monkeypatch.delenv(name, raising=False)
        write_settings(tmp_path / "local.settings.json", stack.settings)
        yield tmp_path


def backfills(state: Path, *options: str) -> int:
    return cli.main(["backfills", *options, "--state-dir", str(state)])


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


async def ask_for_a_backfill(state: Path) -> None:
    """As if it had been asked for a minute ago: it is due."""
    storage = StateDirectory(state).settings().storage
    async with tables.Account(Connection(RELAY_STORAGE, connection_string=storage)) as account:
        table = tables.Table(account, "Configuration")
        await table.create_if_missing()
        wanted = parse_configuration_file(CONFIGURATION)
        stores = TableConfiguration(table), TableHealth(table)
        await apply_configuration(*stores, wanted, lambda: clock() - MINUTE)


@asynccontextmanager
async def app(state: Path) -> AsyncIterator[Relay]:
    async with opened_relay(StateDirectory(state).settings()) as relay:
        yield relay


async def test_a_resync_is_asked_for_followed_and_refused_a_second_time(
    state: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await ask_for_a_backfill(state)

    def resync(*options: str) -> tuple[int, str, str]:
        code = cli.main(["resync", "crm", *options, "--state-dir", str(state)])
        said = capsys.readouterr()
        return code, said.out, said.err

    named = tmp_path / "profiles.txt"
    named.write_text("p\nq\n", encoding="utf-8")
    code, out, _ = await asyncio.to_thread(resync, "--profiles", str(named), "--json", "--idempotency-key", "k")
    (shown,) = objects(out)
    assert (code, shown["kind"], shown["destination"], shown["resync"]["profiles"]) == (0, "resync", "crm", 2)
    code, out, _ = await asyncio.to_thread(resync, "--profiles", str(named), "--idempotency-key", "k")
    assert (code, shown["id"] in out) == (0, True)
    code, _, err = await asyncio.to_thread(resync, "--audience", "a")
    assert (code, f"the resync '{shown['id']}' of this dataflow has not ended" in err) == (1, True)
    code, out, _ = await asyncio.to_thread(resync, "--keys", "0", "7f", "--if-running", "replace")
    assert (code, "crm-resync-" in out, shown["id"] in out) == (0, True, False)
    code, _, err = await asyncio.to_thread(resync, "--since", "yesterday")
    assert (code, "/scope/since: expected a date and time" in err) == (1, True)
    await asyncio.to_thread(backfills, state)
    table = capsys.readouterr().out
    assert "2 profiles again" in table
    assert "Buyers, keys 0000 to 7fff again" in table


async def run_timer(state: Path) -> None:
    async with app(state) as relay:
        await relay.services.plan_backfills.run()


async def work_slices(state: Path) -> None:
    storage = StateDirectory(state).settings().storage
    with QueueClient.from_connection_string(storage, "backfill-slices") as queue:
        pointers = [SLICES.decode(str(message.content).encode()) for message in queue.receive_messages()]
    async with app(state) as relay:
        await asyncio.gather(*(relay.services.work_slices.work(pointer) for pointer in pointers))


def test_there_are_none(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [backfills(state), backfills(state, "--json"), backfills(state, "--watch")] == [0, 0, 0]
    assert capsys.readouterr().out == f"{NONE}\nnothing to wait for: there is no backfill that has not ended\n"


def test_one_is_shown_from_the_apply_on_and_can_be_cancelled(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = state / "configuration.json"
    file.write_text(json.dumps(CONFIGURATION))
    assert cli.main(["apply", str(file), "--dry-run", "--state-dir", str(state)]) == 0
    said = capsys.readouterr().out
    assert "members of 1 audience, due in about 7 s" in said
    assert "the members of 1 audience, not counted yet" in said
    assert cli.main(["apply", str(file), "--dry-run", "--json", "--state-dir", str(state)]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["dryRun"], [each["destination"] for each in planned["backfills"]]) == (True, ["crm"])
    assert [(each["events"], len(each["uncounted"])) for each in planned["estimates"]] == [(0, 1)]
    assert backfills(state) == 0
    assert capsys.readouterr().out == f"{NONE}\n"
    assert cli.main(["apply", str(file), "--state-dir", str(state)]) == 0
    assert "members of 1 audience, due in about 7 s" in capsys.readouterr().out

    assert backfills(state) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["ID", "TO", "AUDIENCES", "STATE"]
    assert row.split()[:4] == ["crm-1", "crm", "Buyers", "waiting,"]
    assert backfills(state, "--json") == 0
    (waiting,) = objects(capsys.readouterr().out)
    assert (waiting["state"], waiting["startedAt"], waiting["progress"]["members"]) == ("waiting", None, 0)

    assert backfills(state, "--cancel", "crm-1") == 0
    assert "  crm-1  cancelled on request  " in capsys.readouterr().out
    assert backfills(state, "--cancel", "crm-1", "--json") == 0  # it stays so
    (cancelled,) = objects(capsys.readouterr().out)
    assert (cancelled["state"], cancelled["note"]) == ("cancelled", "cancelled on request")
    assert backfills(state, "--cancel", "no-such") == 1
    assert "there is no backfill 'no-such'" in capsys.readouterr().err


def test_watched_to_its_end_with_a_line_for_each_change(state: Path) -> None:
    asyncio.run(ask_for_a_backfill(state))
    with LocalCommand("backfills", "--watch", "--state-dir", state) as watch:
        watch.wait_for("crm-1  waiting for its start  0%")
        asyncio.run(run_timer(state))
        watch.wait_for("crm-1  running  0%")
        asyncio.run(work_slices(state))
        watch.wait_for("crm-1  running  100%")
        asyncio.run(run_timer(state))
        assert watch.wait() == 0
    assert watch.stderr == ""
    *_, last = watch.stdout.splitlines()
    assert "crm-1  done in " in last
    assert last.endswith("100%  0 members, 0 exported")
    assert len(watch.stdout.splitlines()) < 4 + 16  # each of the 16 slices is a change at most


def test_a_terminal_is_renewed_until_the_end(state: Path) -> None:
    asyncio.run(ask_for_a_backfill(state))
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "local", "backfills", "--watch", "--state-dir", str(state)]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=PROJECT, stdout=its_end, stderr=subprocess.PIPE, env=environment) as watch:
        os.close(its_end)
        shown = ""
        for act, awaited in ((None, "waiting"), (run_timer, "running"), (work_slices, "100 %"), (run_timer, "done")):
            if act is not None:
                asyncio.run(act(state))
            while awaited not in shown:
                assert select.select([terminal], [], [], PATIENCE)[0], f"{awaited!r} was not shown, but:\n{shown}"
                shown += os.read(terminal, 10_000).decode(errors="replace")
        assert watch.wait(PATIENCE) == 0
    os.close(terminal)
    assert "SHARE" in shown


def test_a_sweep_is_asked_for_once_at_a_time(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backfills(state, "--sweep", "--json") == 0
    assert backfills(state, "--sweep", "--json") == 0
    first, second = objects(capsys.readouterr().out)
    assert first["id"] == second["id"]
    assert (first["kind"], first["destination"], first["audiences"], first["state"]) == ("sweep", None, [], "waiting")
    asyncio.run(run_timer(state))
    asyncio.run(work_slices(state))
    asyncio.run(run_timer(state))
    assert backfills(state) == 0
    assert "all profiles  done in" in capsys.readouterr().out


def test_either_a_sweep_or_a_cancellation(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["backfills", "--sweep", "--cancel", "x"])
    assert "not allowed with" in capsys.readouterr().err
