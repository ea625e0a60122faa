"""The parts of host.json that the stand-in follows."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from shared.domain.timespans import parse_timespan

from .errors import HostStartError
from .storage.message_encoding import BASE64, PLAIN, MessageEncoding

_OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
T = TypeVar("T")
_LARGEST_BATCH = 32
_SHORTEST_POLLING_INTERVAL = 0.1
_SHORTEST_LOCK, _LONGEST_LOCK = 15.0, 60.0
_ENCODINGS = {"none": PLAIN, "base64": BASE64}


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`, with the defaults of the host; durations are in seconds."""

    batch_size: int
    new_batch_threshold: int
    visibility_timeout: float
    max_dequeue_count: int
    max_polling_interval: float
    encoding: MessageEncoding


@dataclass(frozen=True)
class SingletonOptions:
    """`singleton`: how long the lock on a listener lasts, and how often another instance tries for it; in seconds."""

    listener_lock_period: float = _LONGEST_LOCK
    listener_lock_recovery_polling_interval: float = 60.0


@dataclass(frozen=True)
class HostConfiguration:
    queues: QueueOptions
    route_prefix: str
    singleton: SingletonOptions = SingletonOptions()


def read_host_json(path: Path) -> HostConfiguration:
    """Read host.json; as in Azure, a setting such as `AzureFunctionsJobHost__extensions__queues__batchSize` wins."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HostStartError(
            f"{path}: cannot be read ({error.strerror}). Name the folder of a function app with --app-dir."
        ) from error
    except ValueError as error:
        raise HostStartError(f"{path}: is not JSON ({error}). Correct the file.") from error
    return configuration_of(document, path)


def configuration_of(document: Any, path: Path) -> HostConfiguration:
    """What the parsed document says; `path` is named in errors."""
    extensions = _Section(path, "extensions", document.get("extensions", {}))
    return HostConfiguration(
        queues=_queue_options(extensions.section("queues")),
        route_prefix=extensions.section("http").read("routePrefix", str, "api").strip("/"),
        singleton=_singleton_options(_Section(path, "singleton", document.get("singleton", {}))),
    )


_ABSENT = object()


class _Section:
    """One object in host.json, which knows where it stands so that its errors can say so."""

    def __init__(self, file: Path, path: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise HostStartError(f"{file}: {path} must be an object.")
        self._file, self._path, self._values = file, path, values

    def section(self, name: str) -> "_Section":
        return _Section(self._file, f"{self._path}.{name}", self._named(name, {}))

    def _named(self, name: str, default: Any) -> Any:
        """As .NET reads names: upper and lower case are the same."""
        return next((value for key, value in self._values.items() if key.lower() == name.lower()), default)

    def read(self, name: str, parse: Callable[[str], T], default: T, accepts: Callable[[T], bool] | None = None) -> T:
        """The value, parsed from its text: a number may be written as text, too."""
        override = _OVERRIDE_PREFIX + f"{self._path}.{name}".replace(".", "__")
        value = os.environ.get(override, self._named(name, _ABSENT))
        if value is _ABSENT:
            return default
        value = value if isinstance(value, str) else json.dumps(value)
        try:
            parsed = parse(value)
        except ValueError as error:
            raise HostStartError(f"{self._file}: {self._path}.{name}: {error}. Correct the value.") from error
        if accepts is not None and not accepts(parsed):
            raise HostStartError(
                f"{self._file}: {self._path}.{name}: the host does not accept {value!r}. See host.json's documentation."
            )
        return parsed


def _queue_options(queues: _Section) -> QueueOptions:
    batch_size = queues.read("batchSize", int, 16, lambda size: 1 <= size <= _LARGEST_BATCH)
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=queues.read(
            "newBatchThreshold", int, batch_size // 2 * _processors(), lambda threshold: threshold >= 0
        ),
        visibility_timeout=queues.read("visibilityTimeout", _seconds, 0.0),
        max_dequeue_count=queues.read("maxDequeueCount", int, 5, lambda count: count >= 1),
        max_polling_interval=queues.read(
            "maxPollingInterval",
            _seconds,
            2.0 if os.environ.get("AZURE_FUNCTIONS_ENVIRONMENT") == "Development" else 60.0,
            lambda seconds: seconds >= _SHORTEST_POLLING_INTERVAL,
        ),
        encoding=queues.read("messageEncoding", _encoding, BASE64),
    )


def _singleton_options(singleton: _Section) -> SingletonOptions:
    defaults = SingletonOptions()
    return SingletonOptions(
        singleton.read(
            "listenerLockPeriod",
            _seconds,
            defaults.listener_lock_period,
            lambda seconds: _SHORTEST_LOCK <= seconds <= _LONGEST_LOCK,
        ),
        singleton.read(
            "listenerLockRecoveryPollingInterval",
            _seconds,
            defaults.listener_lock_recovery_polling_interval,
            lambda seconds: seconds >= _SHORTEST_LOCK,
        ),
    )


def _processors() -> int:
    """As .NET counts them; an instance of the consumption plan counts as one."""
    if os.environ.get("WEBSITE_SKU") == "Dynamic":
        return 1
    said = os.environ.get("DOTNET_PROCESSOR_COUNT", "")
    return int(said) if said.isdecimal() else os.cpu_count() or 1


def _seconds(text: str) -> float:
    return parse_timespan(text).total_seconds()


def _encoding(text: str) -> MessageEncoding:
    """By name or by number, and any number goes: only 1 is base64."""
    if text.isdecimal():
        return BASE64 if int(text) == 1 else PLAIN
    if text.lower() not in _ENCODINGS:
        raise ValueError(f"{text!r} is no encoding: none and base64 are")
    return _ENCODINGS[text.lower()]
