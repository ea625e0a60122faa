"""The real Functions host as a process of the local stack, run by its own start script or by Core Tools."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.errors import PartFailedError, ToolMissingError
from local.locking import one_at_a_time
from local.ports import HOST
from local.stack.functions_host import FunctionsHost, Invocations
from local.stack.host_admin import HostAdmin
from local.stack.host_log import HostLog
from local.stack.key_front import KeyFront
from local.stack.real_host_tools import WORKER_PYTHON, run_host, worker_python

KEY_SETTING = "LOCAL_FUNCTION_KEY"
_DRAIN_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_OF_ITS_OWN = {
    # One for all hosts of a stack: as instances of one app they share timers.
    "AzureFunctionsWebHost__hostid": "profile-relay",
    # It would watch all of the checkout, node_modules too, while a deployed app never changes.
    "AzureFunctionsJobHost__fileWatchingEnabled": "false",
}


def _all_logged(app_dir: Path) -> dict[str, str]:
    """Invocations are counted in the log: those which host.json keeps out of it are in it here."""
    host_json = app_dir / "host.json"
    if not host_json.exists():
        return {}  # the host says that better
    logging = json.loads(host_json.read_text(encoding="utf-8")).get("logging", {})
    quiet = [category for category, level in logging.get("logLevel", {}).items() if level == "None"]
    return {f"AzureFunctionsJobHost__logging__logLevel__{category}": "Information" for category in quiet}


class RealHost(FunctionsHost):
    """Ready when every function is there. It asks for a key; unless the settings say which, callers need none: it is
    added to whatever comes to `url`.
    """

    _ready = rf"Now listening on: http://{re.escape(HOST)}:(\d+)"
    start_timeout = 180.0

    def __init__(self, log: Path, **options: Any) -> None:
        super().__init__(log, **options)
        self._state = self._settings_file.parent / log.stem
        self._key_is_asked_for = KEY_SETTING in self._settings
        # In digits and letters: a value that begins with a dash would be taken for an option.
        self._key: str | None = self._settings.get(KEY_SETTING) or secrets.token_hex(32)
        self._host_log = HostLog(log)
        self._front: KeyFront | None = None

    @classmethod
    def require_tools(cls) -> None:
        run_host()
        worker_python()

    def _command(self) -> Sequence[str]:
        return [
            *(str(run_host()), "--port", str(self._own_port), "--python", str(worker_python())),
            *("--key", str(self._key), "--state", str(self._state), "--graceful", str(self._app_dir)),
        ]

    @property
    def _own_port(self) -> int:
        """Where the host itself listens: where callers do not need the key, something else is at their port."""
        return self.http_port if self._key_is_asked_for else 0

    def _environment(self) -> dict[str, str]:
        # What this process has for its own Python would win over the app's folder and packages.
        inherited = {name: value for name, value in super()._environment().items() if not name.startswith("PYTHON")}
        return inherited | _OF_ITS_OWN | _all_logged(self._app_dir) | dict(self._settings)

    def start(self) -> None:
        self._prepare()
        self._host_log.begin()
        super().start()

    def _prepare(self) -> None:
        command = run_host()
        with one_at_a_time(command.parent):  # it writes into its own folder
            done = subprocess.run(
                [command, "--prepare", "--python", worker_python()],
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        if done.returncode != 0:
            raise ToolMissingError(
                f"{command} cannot run with {worker_python()}: run make host-python, or set {WORKER_PYTHON} to another"
                f"\n{done.stdout[-1000:]}"
            )

    def _learn(self, ready: re.Match[str]) -> None:
        self._at(int(ready[1]))

    def _at(self, port: int) -> None:
        """Wait until the host at this port has every function; then let callers in."""
        self._admin = HostAdmin(f"http://{HOST}:{port}", self._key)
        try:
            self.functions = self._every_function()
            if self._key is not None and not self._key_is_asked_for:
                self._front = KeyFront(self.http_port, port, self._key)
                port = self._front.port
        except BaseException:
            self.stop()
            raise
        self.http_port = port

    def _every_function(self) -> list[str]:
        until = time.monotonic() + self.start_timeout
        while time.monotonic() < until:
            if why := self._host_log.not_loaded:
                raise PartFailedError(f"{self.name} cannot load the app: {why}; read {self.log}")
            if not self.running:
                raise PartFailedError(f"{self.name} ended before it was ready; {self.what_it_printed()}")
            found = self._admin.functions()
            if wrong := {name: errors for name, errors in (found or {}).items() if errors}:
                told = "".join(f"\n    {name}: {' '.join(errors)}" for name, errors in wrong.items())
                raise PartFailedError(f"{self.name} runs without these functions; read {self.log}{told}")
            if found:
                return sorted(found)
            time.sleep(_LOOK_SECONDS)
        raise PartFailedError(f"{self.name} had no functions after {self.start_timeout:g} s; {self.what_it_printed()}")

    def stop(self) -> None:
        """Drain first: what is in hand is finished, and the next start finds no message that nobody handles."""
        if self._wanted and self.running and self._admin.drain():
            until = time.monotonic() + _DRAIN_SECONDS
            while self.running and not self._admin.drained and time.monotonic() < until:
                time.sleep(_LOOK_SECONDS)
        self._close_front()
        super().stop()

    def kill(self) -> None:
        self._close_front()
        super().kill()

    def _close_front(self) -> None:
        if self._front is not None:
            self._front.close()
            self._front = None

    def invocations(self) -> Mapping[str, Invocations]:
        return self._host_log.invocations


class CoreToolsHost(RealHost):
    """`func start`: it asks for no key, and finds its Python on the PATH."""

    _ready = "."

    def __init__(self, log: Path, **options: Any) -> None:
        super().__init__(log, **options)
        self._key = None
        self._folder = self._app_dir

    @classmethod
    def require_tools(cls) -> None:
        _func()

    def _command(self) -> Sequence[str]:
        if not self.http_port:
            with socket.create_server((HOST, 0)) as free:
                self.http_port = free.getsockname()[1]
        return [_func(), "start", "--port", str(self.http_port)]

    def _environment(self) -> dict[str, str]:
        python = Path(os.environ.get(WORKER_PYTHON) or sys.executable)
        environment = super()._environment()
        return environment | {"PATH": f"{python.parent}{os.pathsep}{environment.get('PATH', '')}"}

    def _prepare(self) -> None:
        """It brings its worker along."""

    def _learn(self, ready: re.Match[str]) -> None:
        self._at(self.http_port)


def _func() -> str:
    func = shutil.which("func")
    if func is None:
        raise ToolMissingError(
            "func is not on the PATH: install Azure Functions Core Tools, or leave --host out for the stand-in"
        )
    return func
