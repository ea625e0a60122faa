"""A worker process as the measurement sees it: asked for something, it answers."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PROJECT = Path(__file__).parents[2]
KEEP_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Compiled modules are kept, whatever the shell says: no process but the first is to compile them."""


class WorkerFailedError(Exception):
    pass


class WorkerProcess:
    """A context manager; the process is ready when it first answers.

    It runs `program`, a module or a command, in `folder`, which reads and answers a JSON line at a time. `settings` are
    app settings; `log` gets what the process says besides its answers.
    """

    def __init__(
        self, program: str | Sequence[str], settings: Mapping[str, str], log: Path, *, folder: Path = _PROJECT
    ) -> None:
        self._command = [sys.executable, "-m", program] if isinstance(program, str) else list(program)
        self._settings = settings
        self._log = log
        self._folder = folder

    def __enter__(self) -> Self:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | KEEP_COMPILED | dict(self._settings),
                cwd=self._folder,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It ends by itself once nobody asks any more; one that hangs is ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Its answer to `wanted`. Raises WorkerFailedError where it ended instead."""
        stdin = self._process.stdin
        if stdin is None:  # never: the pipe is asked for above
            raise WorkerFailedError
        stdin.write(json.dumps(wanted) + "\n")
        stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise WorkerFailedError(f"a worker process ended; it left {self._log}")
        answer: dict[str, Any] = json.loads(line)
        return answer
