"""The README's commands for a local run, word by word, in a state directory of their own."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
LOCAL_RUN = (ROOT / "README.md").read_text().split("## Run it locally")[1].split("## Run it in Azure")[0]
UP, *COMMANDS = re.findall(r"^\.venv/bin/python (-m local .*)$", LOCAL_RUN, re.MULTILINE)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("readme")
    command = [sys.executable, *UP.split(), "--state-dir", str(directory), "--ports", "auto"]
    with ServiceProcess("up", command, ready="^Ready", log=directory / "up.log", cwd=ROOT):
        yield directory


def test_the_commands_are_found() -> None:
    assert (UP, len(COMMANDS)) == ("-m local up", 5)


def run(state_dir: Path, command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command.split(), "--state-dir", str(state_dir)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_local_run(state_dir: Path) -> None:
    printed = {command.split()[2]: run(state_dir, command) for command in COMMANDS[:4]}
    assert "+ dataflow" in printed["apply"]
    assert "sent 655 changes" in printed["send"]
    assert len(printed["tail"].splitlines()) == 20
    assert {line.split()[0] for line in printed["backfills"].splitlines()} == {"ID", "crm-1", "analytics-1"}


def test_what_is_applied_counts_for_what_is_sent_next(state_dir: Path, tmp_path: Path) -> None:
    """However recently the running app has read the configuration before."""
    for hub in ("sales", "service"):
        configuration = tmp_path / f"{hub}.json"
        destination = {"id": hub, "name": hub, "eventHubName": hub}
        dataflow = {"id": hub, "audiences": [f"audience-{hub}"]}
        configuration.write_text(json.dumps({"destinations": [destination], "dataflows": [dataflow]}))
        changes = tmp_path / f"{hub}.ndjson"
        membership = {
            "ups": {f"audience-{hub}": {"status": "realized", "lastQualificationTime": "2026-01-01T00:00:00Z"}}
        }
        change = {"profileId": hub, "occurredAt": "2026-01-01T00:00:00Z", "segmentMembership": membership}
        changes.write_text(json.dumps(change))

        run(state_dir, f"-m local apply {configuration}")
        run(state_dir, f"-m local send {changes}")

        tailed = run(state_dir, f"-m local tail --hub {hub} --count 1 --timeout 30 --json")
        assert json.loads(tailed)["properties"]["profileId"] == hub
