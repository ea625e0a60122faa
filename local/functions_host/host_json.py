"""The parts of host.json that the stand-in follows."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import HostStartError
from .timespans import parse_timespan

_OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
T = TypeVar("T")
_LARGEST_BATCH = 32
_SHORTEST_POLLING_INTERVAL = 0.1


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`, with the defaults of the host; durations are in seconds."""

    batch_size: int
    new_batch_threshold: int
    visibility_timeout: float
    max_dequeue_count: int
    max_polling_interval: float
    base64: bool


@dataclass(frozen=True)
class HostConfiguration:
    queues: QueueOptions
    route_prefix: str


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
    extensions = _Section(path, "extensions", document.get("extensions", {}))
    return HostConfiguration(
        queues=_queue_options(extensions.section("queues")),
        route_prefix=extensions.section("http").read("routePrefix", str, "api").strip("/"),
    )


class _Section:
    """One object in host.json, which knows where it stands so that its errors can say so."""

    def __init__(self, file: Path, path: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise HostStartError(f"{file}: {path} must be an object.")
        self._file, self._path, self._values = file, path, values

    def section(self, name: str) -> "_Section":
        return _Section(self._file, f"{self._path}.{name}", self._values.get(name, {}))

    def read(self, name: str, parse: Callable[[Any], T], default: T, accepts: Callable[[T], bool] | None = None) -> T:
        override = _OVERRIDE_PREFIX + f"{self._path}.{name}".replace(".", "__")
        value = os.environ.get(override, self._values.get(name))
        if value is None:
            return default
        try:
            parsed = parse(value)
        except (ValueError, TypeError, AttributeError) as error:
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
        new_batch_threshold=queues.read("newBatchThreshold", int, batch_size // 2, lambda threshold: threshold >= 0),
        visibility_timeout=queues.read("visibilityTimeout", _seconds, 0.0),
        max_dequeue_count=queues.read("maxDequeueCount", int, 5, lambda count: count >= 1),
        max_polling_interval=queues.read(
            "maxPollingInterval", _seconds, 60.0, lambda seconds: seconds >= _SHORTEST_POLLING_INTERVAL
        ),
        base64=queues.read("messageEncoding", str.lower, "base64", lambda name: name in ("base64", "none")) == "base64",
    )


def _seconds(text: str) -> float:
    return parse_timespan(text).total_seconds()
