"""One process of the local stack: what it runs, when it is ready, and how it says what went wrong."""

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local.errors import PartFailedError
from local.stack.process import NotReadyError, ServiceProcess

PROJECT = Path(__file__).parents[2]
_SHOWN_CHARACTERS = 400


class Part(ABC):
    """One process of the stack. After the first start it keeps its address: `kill`, `start` gives the same ports."""

    name: str
    start_timeout = 60.0
    """Seconds."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._folder = PROJECT
        self._process: ServiceProcess | None = None
        self._wanted = False

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @property
    @abstractmethod
    def _ready(self) -> str:
        """What it prints, as a regular expression, when it can be used."""

    @abstractmethod
    def _learn(self, ready: re.Match[str]) -> None:
        """Remember the ports it says it has."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """Where it is, for people."""

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    @property
    def died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._wanted and not self.running

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        self._process = ServiceProcess(
            self.name,
            self._command(),
            ready=self._ready,
            log=self.log,
            env=self._environment(),
            cwd=self._folder,
        )
        began = time.monotonic()
        try:
            self._learn(self._process.start(self.start_timeout))
        except NotReadyError as error:
            silent = time.monotonic() - began >= self.start_timeout
            what = f"was not ready within {self.start_timeout:g} s" if silent else "ended before it was ready"
            raise PartFailedError(f"{self.name} {what}; {self.what_it_printed()}") from error
        self._wanted = True

    def stop(self) -> None:
        self._wanted = False
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL, for it and all that it started: for crash tests."""
        self._wanted = False
        if self._process is not None:
            self._process.kill()

    def what_it_printed(self) -> str:
        """The log to read and its last lines, as the end of an error message."""
        lines = self.log.read_text(encoding="utf-8").splitlines()[-5:] if self.log.exists() else []
        return f"read {self.log}" + "".join(f"\n    {line[:_SHOWN_CHARACTERS]}" for line in lines)

    def __enter__(self) -> Self:
        """For a part that is running already: it is stopped at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
