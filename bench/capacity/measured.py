"""What `python -m bench` measured, as far as plans and costs are made from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.capacity.limits import CORE_FOR_CHANGES, INSTANCE_CORES, USED

RESULTS = Path("bench/results.json")
_APP = "app"


class MissingResultsError(Exception):
    """There are no results, or not those that are asked for; the message says what to run."""


@dataclass(frozen=True)
class Measured:
    """Of one mix of changes. `operations`: changes a message -> those of one change, by name.

    They are named as in bench/results.json, and `profileRequests` are those of the table requests that go to profiles.
    """

    operations: Mapping[int, Mapping[str, float]]
    cpu_seconds: float

    @property
    def busy_seconds(self) -> float:
        """How long one change keeps an instance busy."""
        return self.cpu_seconds / (INSTANCE_CORES * CORE_FOR_CHANGES)

    @property
    def instance_seconds(self) -> float:
        """How much of an instance a plan has for one change."""
        return self.busy_seconds / USED


def read_results(file: Path = RESULTS) -> dict[str, Measured]:
    """By mix. Raises MissingResultsError."""
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
        counted, speed = results["operations"], results["speed"]["runs"]
        return {
            mix: Measured(
                {
                    int(size): each | {"profileRequests": _profile_requests(counted["runs"][mix][size])}
                    for size, each in by_size.items()
                },
                median(run[_APP]["cpuSeconds"] / run[_APP]["events"] for run in speed[mix]),
            )
            for mix, by_size in counted["figures"]["operations_per_change"].items()
        }
    except (OSError, KeyError) as error:
        raise MissingResultsError(
            f"{file} does not hold what was measured ({type(error).__name__}: {error}): "
            "run python -m bench first, its parts speed and operations"
        ) from None


def _profile_requests(run: Mapping[str, Any]) -> float:
    """For one change; each calls for one event."""
    requests: Mapping[str, int] = run["requests"]
    return sum(count for kind, count in requests.items() if kind.startswith("Profiles: ")) / float(run["events"])
