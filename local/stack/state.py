"""The state directory: what `up` leaves there for the other commands, and how these read it."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from local.errors import AlreadyRunningError, LocalError, SettingMissingError
from shared.domain.configuration.credentials import parse_connection_string
from shared.errors import SettingError
from shared.settings import checked_storage

RELAY_STORAGE = "RELAY_STORAGE"
PROFILE_CHANGES_QUEUE = "PROFILE_CHANGES_QUEUE"
EVENTHUBS = "EVENTHUBS"
CONFIG_CACHE_SECONDS = "CONFIG_CACHE_SECONDS"
BROKER_CONTROL_PORT = "LOCAL_BROKER_CONTROL_PORT"
SECRETS_FILE = "LOCAL_SECRETS_FILE"


def write_private(path: Path, text: str) -> None:
    """Replace `path` at once, readable by its owner alone: there are keys in these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def write_settings(path: Path, settings: Mapping[str, str], *, http_port: int | None = None) -> None:
    """Write app settings in the shape Azure Functions Core Tools reads."""
    host = {"LocalHttpPort": http_port} if http_port else {}
    document = {"IsEncrypted": False, "Values": dict(settings), "Host": host}
    write_private(path, json.dumps(document, indent=2) + "\n")


class StackSettings:
    """App settings of the running stack; environment variables of the same names win."""

    def __init__(self, source: Path, values: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self._source = source
        self._values = values
        self._environment = environment

    @property
    def of_the_stack(self) -> dict[str, str]:
        """All that the running stack has; environment variables of these names win. Empty where none runs."""
        return {name: self._environment.get(name) or value for name, value in self._values.items()}

    def find(self, name: str) -> str | None:
        return self._environment.get(name) or self._values.get(name)

    def require(self, name: str) -> str:
        value = self.find(name)
        if value is None:
            raise SettingMissingError(
                f"setting {name} is neither an environment variable nor in {self._source}: "
                "start the local stack with python -m local up, in another terminal, or set the variable"
            )
        return value

    @property
    def storage(self) -> str:
        """Of the account, in the form that the SDKs take. Raises SettingMissingError, LocalError."""
        try:
            return checked_storage(RELAY_STORAGE, self.require(RELAY_STORAGE))
        except SettingError as error:
            raise LocalError(str(error)) from None

    @property
    def event_hubs(self) -> str:
        """The connection string of the namespace. Raises SettingMissingError, LocalError where it is none."""
        text = self.require(EVENTHUBS)
        try:
            parse_connection_string(text, local_allowed=True)
        except ValueError as error:
            raise LocalError(f"app setting {EVENTHUBS}: {error}") from None
        return text

    @property
    def local_control_port(self) -> int | None:
        """Of the Event Hubs stand-in; None when the environment names another namespace."""
        if self.find(EVENTHUBS) != self._values.get(EVENTHUBS):
            return None
        port = self._values.get(BROKER_CONTROL_PORT)
        return int(port) if port else None

    @property
    def local_secrets_file(self) -> str | None:
        """Of the local stack; None when the environment names another storage account."""
        if self.find(RELAY_STORAGE) != self._values.get(RELAY_STORAGE):
            return None
        return self._values.get(SECRETS_FILE)


class StateDirectory:
    """Where a running stack keeps its data, its logs and its settings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings_file = path / "local.settings.json"
        self._hubs_file = path / "hubs.json"
        self._lock_file = path / "up.lock"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep a second `up` out. The system drops the lock with the process, so that none is ever left behind."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._lock_file.open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise AlreadyRunningError(
                    f"python -m local up runs already in {self.path} (process {lock.read().strip() or 'unknown'}): "
                    "stop it, or give this one a directory of its own with --state-dir and --ports auto"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def settings(self, environment: Mapping[str, str] = os.environ) -> StackSettings:
        """What `up` wrote; empty when it does not run, so that the environment alone can do."""
        try:
            document = json.loads(self.settings_file.read_text(encoding="utf-8"))
            values = {str(name): str(value) for name, value in document["Values"].items()}
        except FileNotFoundError:
            values = {}
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise SettingMissingError(
                f"{self.settings_file} is not a settings file ({error!r}): restart python -m local up, which writes it"
            ) from error
        return StackSettings(self.settings_file, values, environment)

    def forget_settings(self) -> None:
        """So that no command takes a stopped stack for a running one."""
        self.settings_file.unlink(missing_ok=True)

    def remembered_hubs(self) -> dict[str, int]:
        """The hubs of the last run: Azurite's tables may still name them, and the stand-in keeps nothing."""
        try:
            hubs = json.loads(self._hubs_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return {str(name): int(partitions) for name, partitions in hubs.items()}

    def remember_hubs(self, hubs: Mapping[str, int]) -> None:
        write_private(self._hubs_file, json.dumps(dict(hubs), indent=2) + "\n")
