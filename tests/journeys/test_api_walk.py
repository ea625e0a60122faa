"""The way in docs/api.md from nothing to the first export, word by word, on a stack of its own."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack.process import ServiceProcess
from tests.kit import running_host

ROOT = Path(__file__).parents[2]
WALK = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/api.md").read_text().split("## From nothing")[1], re.DOTALL)[0]


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    command = [
        sys.executable,
        "-m",
        "local",
        "up",
        *running_host.OPTIONS,
        "--state-dir",
        str(tmp_path),
        "--ports",
        "auto",
    ]
    with ServiceProcess("up", command, ready="^Ready", log=tmp_path / "up.log", cwd=ROOT):
        yield tmp_path


@pytest.mark.runs_the_app
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_way_to_the_first_export(state_dir: Path) -> None:
    port = json.loads((state_dir / "local.settings.json").read_text())["Host"]["LocalHttpPort"]
    walk = WALK.replace("http://127.0.0.1:7071", f"http://127.0.0.1:{port}")
    walk = re.sub(r"\.venv/bin/python -m local (\w+)", rf"{sys.executable} -m local \1 --state-dir {state_dir}", walk)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", walk], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    checked, connected, dry_run = answers[1], answers[2], answers[4]
    assert (checked["reachable"], checked["hubs"]) == (True, ["analytics", "crm"])
    assert (connected["id"], connected["health"]["state"]) == ("sales", "healthy")
    assert "jane.doe" in json.dumps(dry_run)
    assert re.search(r" crm .*audience.*jane\.doe", "\n".join(lines))
    assert "jane.doe" in json.dumps(answers[-3])
    assert [entry["who"] for entry in answers[-1]["entries"]] == ["function key"] * 3
