"""Builds of other revisions: a worktree, with an environment of its own where it needs other packages."""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from local.stack.part import PROJECT

_REQUIREMENTS = "requirements.txt"
_WORKER = Path("bench/relay/app.py")


@dataclass(frozen=True, slots=True)
class Build:
    """`python` has the packages that the code in `folder` needs."""

    folder: Path
    python: Path


THIS = Build(PROJECT, Path(sys.executable))


@contextmanager
def build_of(revision: str, directory: Path) -> Iterator[Build]:
    """The build of `revision`, below `directory`. Raises LocalError where there is none that can be measured."""
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}")
    directory = directory.absolute()
    folder = directory / f"tree-{commit[:12]}"
    _remove(folder)
    _git("worktree", "add", "--force", "--detach", str(folder), commit)
    try:
        if not (folder / _WORKER).exists():
            raise LocalError(f"revision {revision} cannot be measured: it has no {_WORKER}")
        yield Build(folder, _environment(folder, directory))
    finally:
        _remove(folder)


def _environment(folder: Path, directory: Path) -> Path:
    """This one, where the revision asks for nothing else; otherwise one that is kept for the next time."""
    wanted = (folder / _REQUIREMENTS).read_bytes()
    if wanted == (PROJECT / _REQUIREMENTS).read_bytes():
        return THIS.python
    place = directory / f"venv-{hashlib.sha256(wanted).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        venv.create(place, clear=True, with_pip=True)
        command = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            str(folder / _REQUIREMENTS),
        ]
        if subprocess.run(command, check=False).returncode:
            raise LocalError(f"the packages of {folder / _REQUIREMENTS} could not be installed: pip says why above")
        (place / "complete").touch()
    return python


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _git("worktree", "prune")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()
