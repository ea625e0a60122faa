"""`python -m local status`: of a stack that runs, and of settings in a file."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from local import cli
from local.relay import opened_relay
from local.stack.local_stack import LocalStack
from local.stack.state import StateDirectory, write_settings
from shared.adapters.tables.service import table as tables
from shared.adapters.tables.timers import TableTimers
from shared.bootstrap import clock
from shared.domain.instants import DAY
from shared.domain.timers import TIMERS, TimerRun
from shared.settings import Connection
from tests.kit.app_settings import DEPLOYED


def test_settings_in_a_file_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def status(document: Any) -> tuple[int, str]:
        file = tmp_path / "settings.json"
        file.write_text(json.dumps(document))
        return cli.main(["status", "--settings", str(file)]), capsys.readouterr().out

    assert status({"Values": DEPLOYED}) == (0, "all is fine\n")
    as_listed = [{"name": name, "slotSetting": False, "value": value} for name, value in DEPLOYED.items()]
    code, printed = status(
        [*as_listed, {"name": "RETRY_DELAYS", "value": "abc"}, {"name": "TZ", "value": "Asia/Tokyo"}]
    )
    assert code == 1
    assert [line.partition(":")[0] for line in printed.splitlines()] == [
        "error        app setting RETRY_DELAYS",
        "note         app setting TZ",
        "wrong",
    ]


@pytest.mark.parametrize("text", ["", "3", "{}", '[{"value": "x"}]'])
def test_a_file_without_settings_is_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text(text)
    assert cli.main(["status", "--settings", str(tmp_path / "x.json")]) == 1
    assert "x.json: expected a local.settings.json" in capsys.readouterr().err


def test_the_timers_of_a_stack_are_shown(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in stack.settings:
        monkeypatch.delenv(name, raising=False)
    write_settings(tmp_path / "local.settings.json", stack.settings)

    async def note(run: TimerRun) -> None:
        async with opened_relay(StateDirectory(tmp_path).settings()):
            pass
        async with tables.Account(Connection("STORAGE", stack.storage_connection_string)) as account:
            await TableTimers(tables.Table(account, "Configuration")).put(run)

    never = dict.fromkeys(TIMERS, "0 0 0 1 1 *")
    for name, schedule in never.items():
        asyncio.run(note(TimerRun(name, schedule, since=clock(), ran_at=clock())))
    cli.main(["status", "--json", "--state-dir", str(tmp_path)])
    found = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in found["timers"]} == set(TIMERS)
    assert not [each for each in found["wrong"] if "timer" in each]
    assert found["settings"] == []
    asyncio.run(note(TimerRun("watch_destinations", "*/30 * * * * *", since=clock() - DAY)))
    assert cli.main(["status", "--state-dir", str(tmp_path)]) == 1
    assert "last run never" in (shown := capsys.readouterr().out)
    assert "overdue for 24 h" in shown
    assert shown.splitlines()[-1].startswith("wrong: timer watch_destinations: no run since")
