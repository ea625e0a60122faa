"""The stand-in for the Functions host as a process of the local stack."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from urllib.request import urlopen

from local.stack.functions_host import FunctionsHost, Invocations


class StandInHost(FunctionsHost):
    _ready = r'\{.*"event":\s*"listening".*"httpPort".*\}'

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
        return super()._environment() | {"PYTHONUNBUFFERED": "1"}

    def _learn(self, ready: re.Match[str]) -> None:
        listening = json.loads(ready[0])
        self.http_port = int(listening["httpPort"])
        self.functions = [str(function) for function in listening["functions"]]

    def invocations(self) -> Mapping[str, Invocations]:
        with urlopen(f"{self.url}/admin/host/status", timeout=5) as answer:  # noqa: S310 - our own host
            return {name: Invocations(**counts) for name, counts in json.load(answer)["functions"].items()}
