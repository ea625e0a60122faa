"""The README's commands for a local run, word by word, in a state directory of their own."""

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
    assert (UP, len(COMMANDS)) == ("-m local up", 4)


def test_the_local_run(state_dir: Path) -> None:
    printed = {}
    for command in COMMANDS[:3]:
        done = subprocess.run(
            [sys.executable, *command.split(), "--state-dir", str(state_dir)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed[command.split()[2]] = done.stdout
    assert "+ dataflow" in printed["apply"]
    assert "sent 655 changes" in printed["send"]
    assert len(printed["tail"].splitlines()) == 20
