"""Runs `python -m local` as people do: as a process, with its output and its signals."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from local.stack.part import PROJECT
from local.stack.real_host_tools import RUN_HOST, WORKER_PYTHON

PATIENCE = 120.0
_KEPT = ("PATH", "HOME", "LANG")


class LocalCommand:
    """A running command; its lines can be waited for. Ended by the latest at the end of the block."""

    def __init__(self, *arguments: str | Path, stdin: int = subprocess.DEVNULL) -> None:
        # Nothing of the developer's own setup may reach it.
        environment = {name: os.environ[name] for name in (*_KEPT, RUN_HOST, WORKER_PYTHON) if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local", *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=PROJECT,
            env=environment,
        )
        self._output = {"stdout": "", "stderr": ""}
        self._changed = threading.Condition()
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._output]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = getattr(self.process, name)
        with stream:
            for line in stream:
                with self._changed:
                    self._output[name] += line
                    self._changed.notify_all()

    @property
    def stdout(self) -> str:
        return self._output["stdout"]

    @property
    def stderr(self) -> str:
        return self._output["stderr"]

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Until `text` was printed, on either stream."""
        with self._changed:
            seen = self._changed.wait_for(lambda: text in self.stdout + self.stderr, patience)
        assert seen, f"{text!r} was not printed, but:\n{self.stdout}\n{self.stderr}"

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, all output read."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        return code

    def children(self) -> dict[str, int]:
        """The command lines of its child processes, with their ids."""
        listing = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = (line.split(maxsplit=2) for line in listing.stdout.splitlines())
        return {args: int(pid) for pid, parent, args in rows if int(parent) == self.process.pid}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.stdin:
            self.process.stdin.close()
        self.wait()


def still_running(pids: list[int]) -> list[int]:
    """Those of `pids` that are there after a moment's grace, for the system to take them away."""
    deadline = time.monotonic() + 2
    while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
