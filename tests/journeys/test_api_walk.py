"""What docs/api.md and docs/alerts.md have to paste, word by word and in its order, on a stack of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack.process import ServiceProcess
from tests.kit import running_host

ROOT = Path(__file__).parents[2]


def blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


WALK, *REST = blocks((ROOT / "docs/api.md").read_text())
END = "end-of-a-block"
REST += blocks((ROOT / "docs/alerts.md").read_text())


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
@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq")
def test_all_there_is_to_paste(state_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    port = json.loads((state_dir / "local.settings.json").read_text())["Host"]["LocalHttpPort"]
    script = f"\necho {END}\n".join([WALK, *REST]).replace("http://127.0.0.1:7071", f"http://127.0.0.1:{port}")
    script = re.sub(
        r"\.venv/bin/python -m local (\w+)", rf"{sys.executable} -m local \1 --state-dir {state_dir}", script
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path_factory.mktemp("pasted"),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    walk, *rest = done.stdout.split(f"\n{END}\n")
    _is_the_way_to_the_first_export(walk.splitlines())
    resync, estimate, shadow, uploads, subscription = map(_answers, rest)
    assert [each["state"] for each in resync] == ["running"]
    assert {each["id"] for each in estimate[0]["audiences"]} == {"high-propensity", "newsletter"}
    assert [each["mapping"]["audiences"][1]["id"] for each in shadow[:2]] == ["newsletter"] * 2
    assert [each.get("state") for each in uploads] == [None, "running", "running"]
    assert subscription[0]["secret"]


def _answers(printed: str) -> list[Any]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def _is_the_way_to_the_first_export(lines: list[str]) -> None:
    answers = _answers("\n".join(lines))
    checked, connected, dry_run = answers[1], answers[2], answers[4]
    assert (checked["reachable"], checked["hubs"]) == (True, ["analytics", "crm"])
    assert (connected["id"], connected["health"]["state"]) == ("sales", "healthy")
    assert "jane.doe" in json.dumps(dry_run)
    assert re.search(r" crm .*audience.*jane\.doe", "\n".join(lines))
    assert "jane.doe" in json.dumps(answers[-3])
    assert [entry["who"] for entry in answers[-1]["entries"]] == ["function key"] * 3
