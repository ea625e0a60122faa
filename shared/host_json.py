"""What host.json says of failed messages, or an app setting in its place: the app goes on from what the host does."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).parent.parent / "host.json"
_OVERRIDE = "AzureFunctionsJobHost__extensions__queues__"
_SPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class FailedMessages:
    """A message that failed comes again after `first_delay` seconds, and is poison after `most_deliveries`."""

    first_delay: float
    most_deliveries: int


def failed_messages(environment: Mapping[str, str], file: Path = _FILE) -> FailedMessages:
    """What cannot be read counts as no delay and one delivery, so that all is left to the host, which tells of it."""
    queues = json.loads(file.read_text(encoding="utf-8"))["extensions"]["queues"]
    delay, deliveries = (
        environment.get(_OVERRIDE + name) or str(queues[name]) for name in ("visibilityTimeout", "maxDequeueCount")
    )
    span = _SPAN.fullmatch(delay)
    days, hours, minutes, seconds = (float(part or 0) for part in span.groups()) if span else (0.0,) * 4
    first_delay = seconds + 60 * (minutes + 60 * (hours + 24 * days))
    return FailedMessages(first_delay, int(deliveries) if deliveries.isdecimal() else 1)
