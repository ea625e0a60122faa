"""Scenarios by many seeds, for hours: each result is kept at once, so that a second start goes on where one ended."""

import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faults.load.report import Outcome
from tests.faults.load.run import Size

_AT_95_PERCENT = 3.0
"""What happened in none of n happens in fewer than 3 of n, with a confidence of 95 % (the rule of three)."""
_FEWEST_CHANGES = 100
_COUNTED = ("acknowledged", "lost", "unexpected", "duplicated", "recovered", "pairs", "lastNotGreatest")


@dataclass(frozen=True)
class Turn:
    """A scenario with a seed."""

    scenario: str
    seed: int


class SeededResults:
    """What there is of `size` in `file`, and what is added to it."""

    def __init__(self, file: Path, size: Size) -> None:
        self._file = file
        self._size = asdict(size)
        self.runs: list[dict[str, Any]] = []
        if file.exists():
            document = json.loads(file.read_text(encoding="utf-8"))
            if document["size"] == self._size:
                self.runs = document["runs"]

    def left(self, scenarios: Sequence[str], seeds: Iterable[int]) -> Iterator[Turn]:
        """The turns that there is no result of yet, seed by seed."""
        done = {(run["scenario"], run["seed"]) for run in self.runs}
        for seed in seeds:
            for scenario in scenarios:
                if (scenario, seed) not in done:
                    yield Turn(scenario, seed)

    def add(self, turn: Turn, outcome: Outcome) -> None:
        self.runs.append({"seed": turn.seed, **outcome.result.to_json(), "failures": outcome.failures})
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self.document(), indent=2) + "\n", encoding="utf-8")

    def document(self) -> dict[str, Any]:
        """All results, and what they come to."""
        totals = {name: sum(run[name] for run in self.runs) for name in _COUNTED}
        return {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "size": self._size,
            "seeds": sorted({run["seed"] for run in self.runs}),
            "totals": totals | {"runs": len(self.runs), "failed": sum(bool(run["failures"]) for run in self.runs)},
            "lostInAMillionAtMost": lost_in_a_million_at_most(totals),
            "runs": self.runs,
        }


def shrunk(turn: Turn, size: Size, play: Callable[[Turn, Size], Outcome]) -> Size:
    """The least with which the turn still fails, of half as many changes and profiles or kills each time."""
    while True:
        halves = (
            replace(size, changes=size.changes // 2, profiles=max(1, size.profiles // 2)),
            replace(size, kills=size.kills // 2),
        )
        smaller = (each for each in halves if each != size and each.changes >= _FEWEST_CHANGES)
        failing = next((each for each in smaller if play(turn, each).failures), None)
        if failing is None:
            return size
        size = failing


def lost_in_a_million_at_most(totals: Mapping[str, int]) -> float | None:
    """At 95 %, of exports that were acknowledged; None where some were lost, or none acknowledged."""
    if totals["lost"] or not totals["acknowledged"]:
        return None
    return round(1_000_000 * _AT_95_PERCENT / totals["acknowledged"], 3)
