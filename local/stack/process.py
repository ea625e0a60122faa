"""A child process of the local stack: started, known to be ready, and stopped without a trace."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOK_SECONDS = 0.1
_LAST_WORDS_SECONDS = 1.0


class NotReadyError(Exception):
    """A child process ended, or stayed silent for too long, before it said that it was ready."""


class ServiceProcess:
    """Runs `command`, copies all it prints to `log`, and is ready once a line matches `ready`.

    `start` returns that match, so that ports the child chose can be read from its groups.
    The child gets a process group of its own: a Ctrl-C in the terminal reaches the parent alone,
    which then stops its children in order. Whatever the child started itself ends with it, however it ended.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._ready_pattern = re.compile(ready)
        self._log = log
        self._env = dict(env) if env is not None else None
        self._cwd = cwd
        self._process: subprocess.Popen[str] | None = None
        self._copier: threading.Thread | None = None
        self._seen_ready = threading.Event()
        self._match: re.Match[str] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 60.0) -> re.Match[str]:
        """Start the child and wait until it is ready; `NotReadyError` names the log to read."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._forget_readiness()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._env,
            cwd=self._cwd,
            start_new_session=True,
        )
        self._copier = threading.Thread(target=self._copy_output, args=(self._process,), daemon=True)
        self._copier.start()
        until = time.monotonic() + timeout
        while not self._seen_ready.wait(_LOOK_SECONDS) and self.running and time.monotonic() < until:
            pass
        if not self.running:
            self._copier.join(_LAST_WORDS_SECONDS)
        if self._match is None:
            self.stop()
            raise NotReadyError(f"{self.name} was not ready within {timeout:g} s; what it printed is in {self._log}")
        return self._match

    def _forget_readiness(self) -> None:
        self._seen_ready.clear()
        self._match = None

    def _copy_output(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:  # never: the pipe is asked for above
            return
        with process.stdout, self._log.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if self._match is None and (match := self._ready_pattern.search(line)):
                    self._match = match
                    self._seen_ready.set()
        self._seen_ready.set()
        process.wait()
        self._end_group(process)

    def kill(self) -> None:
        """SIGKILL, for crash tests: the child gets no chance to tidy up."""
        if self._process is not None and self._process.poll() is None:
            self._end_group(self._process)
        self._reap()

    def stop(self, timeout: float = 15.0) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds. Stopping a child that has ended is no error."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
            self._end_group(self._process)
        self._reap()

    def _reap(self) -> None:
        if self._process is None or self._copier is None:
            return
        self._process.wait()
        self._copier.join(_LAST_WORDS_SECONDS)
        if self._copier.is_alive():  # a child of the child holds its output, so the group is still there
            self._end_group(self._process)
            self._copier.join()

    @staticmethod
    def _end_group(process: "subprocess.Popen[str]") -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses to signal those that have ended
            os.killpg(process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
