"""A Functions host as a part of the local stack: what all of them have in common, and what each must tell."""

import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from local.ports import HOST
from local.stack.part import Part


class HostKind(StrEnum):
    STAND_IN = "stand-in"
    REAL = "real"
    FUNC = "func"


@dataclass(frozen=True)
class Invocations:
    """Of one function, since the host started."""

    running: int = 0
    succeeded: int = 0
    failed: int = 0


class FunctionsHost(Part):
    """Runs the functions of `app_dir` with the app settings in `settings_file`, which are `settings`.

    `http_port` 0 lets the system choose. `lease_seconds` is how long a message that is in hand stays invisible: only
    the stand-in can be told, the others have ten minutes.
    """

    def __init__(
        self,
        log: Path,
        *,
        name: str,
        app_dir: Path,
        settings_file: Path,
        settings: Mapping[str, str],
        http_port: int,
        lease_seconds: int | None,
    ) -> None:
        super().__init__(log)
        self.name = name
        self.http_port = http_port
        self.functions: list[str] = []
        self._app_dir = app_dir
        self._settings_file = settings_file
        self._settings = settings
        self._lease_seconds = lease_seconds

    @classmethod
    def require_tools(cls) -> None:
        """Raises ToolMissingError where this machine lacks what it takes to run this host."""

    def _environment(self) -> dict[str, str]:
        # As with Core Tools the environment would win, and a developer's real account be written to by mistake.
        return {name: value for name, value in os.environ.items() if name not in self._settings}

    @abstractmethod
    def invocations(self) -> Mapping[str, Invocations]:
        """By function; one that was never invoked may be missing."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.http_port}"

    @property
    def console_url(self) -> str:
        """Where a browser finds the app's console."""
        return f"{self.url}/console"

    @property
    def summary(self) -> str:
        return f"{self.url}, functions {', '.join(self.functions)}"
