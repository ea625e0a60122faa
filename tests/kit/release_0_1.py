"""Release 0.1 itself: its code from this repository's history, run in a process of its own by this interpreter."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kit.environments import CHECKOUT

COMMIT = "ccf680449dacfe01a23427042ab54630764b5b74"
_SCRIPT = Path(__file__).with_name("act_as_release_0_1.py")
_TIMEOUT_SECONDS = 120


class NoSuchReleaseError(Exception):
    """The message says how its code is had."""


def unpack(directory: Path) -> Path:
    """The release's code, below `directory`. Raises NoSuchReleaseError where the history does not go back so far."""
    archived = subprocess.run(["git", "archive", COMMIT], cwd=CHECKOUT, capture_output=True, check=False)
    if archived.returncode:
        raise NoSuchReleaseError(
            f"this clone has no commit {COMMIT}, release 0.1, whose code is run here: clone in full, or have the rest "
            f"by `git fetch --unshallow`. git said: {archived.stderr.decode(errors='replace').strip()}"
        )
    folder = directory / "release-0.1"
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def act(folder: Path, task: str, settings: Mapping[str, str], given: Any = None) -> Any:
    """What tests/kit/act_as_release_0_1.py answers to `task`. Raises CalledProcessError, with what went wrong."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", _SCRIPT, task],
        cwd=folder,
        input=json.dumps({"settings": dict(settings), "given": given}),
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECONDS,
        env={"PYTHONPATH": str(folder)},
    )
    if done.returncode:
        raise AssertionError(f"release 0.1, asked to {task}:\n{done.stderr}")
    return json.loads(done.stdout)
