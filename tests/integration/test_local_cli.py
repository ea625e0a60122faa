"""The command line as such: help, and what is asked for wrongly."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from local import cli
from local.relay import opened_relay
from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from local.stack.state import StateDirectory
from shared.bootstrap import clock
from shared.services.changes.export import InboundMessage
from tests.conftest import UniqueNames
from tests.kit.builders import destination, item, membership


@pytest.mark.parametrize("arguments", [[], ["no-such-command"]])
def test_what_is_no_command_gets_the_list_of_them(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(re.search(rf"^    {name}\s", printed.err, re.MULTILINE) for name in cli.COMMANDS)
    assert all(argument in printed.err for argument in arguments)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert "--state-dir DIR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["up", "--hub", "crm"], "'crm' is not NAME:PARTITIONS, such as crm:4"),
        (["tail", "--count", "0"], "'0' is not a whole number above 0"),
        (["rebuild-index", "--from-bucket", "-1"], "'-1' is not a whole number"),
        (["tail", "--timeout", "nan"], "'nan' is not a number of seconds"),
        (["send", "-", "--rate", "fast"], "'fast' is not a number of changes a second, such as 500 or 500/s"),
        (["send", "-", "--batch-bytes", "65537"], "65537 is more than a queue message takes, 65536 bytes"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("command", [["send", __file__], ["tail"]])
def test_without_a_running_stack_the_way_out_is_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RELAY_STORAGE", raising=False)
    monkeypatch.delenv("EVENTHUBS", raising=False)
    assert cli.main([*command, "--state-dir", str(tmp_path)]) == 1
    assert "python -m local up" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["quarantine"], ["send", __file__], ["apply", "samples/config.json"], ["backfills"]]
)
@pytest.mark.parametrize("text", ["nonsense", "AccountName=x", "AccountName=x;AccountKey=not base64!"])
def test_a_malformed_storage_setting_is_named_in_one_line(
    command: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELAY_STORAGE", text)
    assert cli.main([*command, "--state-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: app setting RELAY_STORAGE: expected ")
    assert said.count("\n") == 1


def test_what_is_mistyped_is_told_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tial"]) == 2
    assert "there is no command 'tial': did you mean tail?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["tail", "--cuont", "1"])
    printed = capsys.readouterr().err
    assert printed.startswith("usage: python -m local tail ")
    assert "it does not take --cuont 1: did you mean --count?" in printed


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert f'version = "{capsys.readouterr().out.split()[-1]}"' in (PROJECT / "pyproject.toml").read_text()


def test_a_contract_is_written_as_files(
    stack: LocalStack,
    names: UniqueNames,
    state: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted = {
        "destinations": [destination(names.hub)],
        "dataflows": [{"id": names.hub, "audiences": ["a"], "attributes": ["/loyalty/tier"]}],
    }
    (state / "wanted.json").write_text(json.dumps(wanted))
    at_stack = ["--state-dir", str(state)]
    assert cli.main(["apply", str(state / "wanted.json"), *at_stack]) == 0
    capsys.readouterr()
    folder = state / "not yet there" / "contract"
    assert cli.main(["contract", names.hub, "--out", str(folder), *at_stack]) == 0
    written = sorted(path.name for path in folder.iterdir())
    assert [line.rpartition("/")[2] for line in sorted(capsys.readouterr().out.splitlines())] == written
    assert "body -> '/loyalty/tier'" in (folder / "duckdb.sql").read_text()
    assert cli.main(["contract", names.hub, "--json", *at_stack]) == 0
    schema = json.loads(capsys.readouterr().out)["bodySchema"]
    assert {"$schema", *schema} == {*json.loads((folder / "body.schema.json").read_text())}
    assert cli.main(["contract", "another", *at_stack]) == 1
    assert "there is no destination 'another' with a dataflow" in capsys.readouterr().err
    assert cli.main(["contract", names.hub, "--out", str(folder / "duckdb.sql"), *at_stack]) == 1
    assert "cannot be written to: " in capsys.readouterr().err


def test_a_profile_is_explained(
    stack: LocalStack,
    names: UniqueNames,
    state: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    profile = f"{names.queue}\u001b[31m"

    async def change() -> None:
        async with opened_relay(StateDirectory(state).settings()) as relay:
            taken = item(profile, 1, segmentMembership=membership(1, audience=names.hub))
            body = json.dumps([taken, {"profileId": profile, "occurredAt": "soon"}])
            await relay.services.export_changes.handle(InboundMessage("m", body.encode(), clock()))

    asyncio.run(change())
    assert cli.main(["why", profile, "--state-dir", str(state)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{names.queue}\N{REPLACEMENT CHARACTER}[31m  version ")
    assert f"  + ups/{names.hub} realized since " in shown
    assert "what happened:\n  no change has called for an export, as far as is known\n  in quarantine since " in shown
    assert "item 1: /occurredAt: expected a date and time" in shown
    assert cli.main(["why", profile, "--json", "--state-dir", str(state)]) == 0
    assert json.loads(capsys.readouterr().out)["profile"]["profileId"] == profile
    assert cli.main(["why", "nobody at all", "--state-dir", str(state)]) == 1
    assert "nothing is known of a profile 'nobody at all': its case counts" in capsys.readouterr().err
