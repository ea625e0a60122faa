"""What came of each step, for people and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.table import Table

_COLUMNS = ("step", "kills", "in scope", "exported", "missed", "outside", "twice by kills", "twice else", "s", "/s")


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """`in_scope`: profiles that had to come, or those that were counted. `exported`: events under the step's reason.

    `outside`: profiles that came and must not; `twice_by_kills` and `twice_else`: events beyond a profile's first, with
    a kill between the two, or without. `seconds`: from its start to its end, by the API. `wrong`: promises that were
    broken, none as a rule; `notes`: what else was seen.
    """

    step: str
    kills: int
    in_scope: int
    exported: int = 0
    missed: int = 0
    outside: int = 0
    twice_by_kills: int = 0
    twice_else: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def a_second(self) -> float:
        return (self.exported or self.in_scope) / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        document = {to_camel(name): value for name, value in asdict(self).items()}
        return document | {"seconds": round(self.seconds, 1), "aSecond": round(self.a_second, 1)}

    @property
    def cells(self) -> list[str]:
        counts = (self.kills, self.in_scope, self.exported, self.missed, self.outside)
        twice = (self.twice_by_kills, self.twice_else)
        return [
            self.step,
            *(f"{each:,}" for each in (*counts, *twice)),
            f"{self.seconds:,.1f}",
            f"{self.a_second:,.0f}",
        ]


def print_results(out: Console, heading: str, results: Sequence[StepResult]) -> None:
    out.print(f"\n{heading}", markup=False, soft_wrap=True)
    table = Table(*_COLUMNS, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in results:
        table.add_row(*each.cells)
    out.print(table)
    for each in results:
        for line in [*each.notes, *(f"WRONG: {what}" for what in each.wrong)]:
            out.print(f"{each.step}: {line}", markup=False, soft_wrap=True)


def write_results(file: Path, heading: str, results: Sequence[StepResult]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {"how": heading, "steps": [each.to_json() for each in results]}
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
