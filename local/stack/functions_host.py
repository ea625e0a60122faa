"""The functions host as a process of the local stack."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.ports import HOST
from local.stack.part import Part


class FunctionsHost(Part):
    """Runs the functions of `app_dir` with the app settings in `settings_file`."""

    _ready = r'\{.*"event":\s*"listening".*"httpPort".*\}'

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

    def _command(self) -> Sequence[str]:
        lease = [] if self._lease_seconds is None else ["--lease-seconds", str(self._lease_seconds)]
        return [
            *(sys.executable, "-m", "local.functions_host"),
            *("--app-dir", str(self._app_dir)),
            *("--settings", str(self._settings_file)),
            *("--http-port", str(self.http_port)),
            *lease,
        ]

    def _environment(self) -> dict[str, str]:
        # As with Core Tools the environment would win, and a developer's real account be written to by mistake.
        inherited = {name: value for name, value in os.environ.items() if name not in self._settings}
        return inherited | {"PYTHONUNBUFFERED": "1"}

    def _learn(self, ready: re.Match[str]) -> None:
        listening = json.loads(ready[0])
        self.http_port = int(listening["httpPort"])
        self.functions = [str(function) for function in listening["functions"]]

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
