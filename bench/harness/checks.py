"""What was measured against what must hold, for people and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Check:
    """`value` lies from `at_least` to `at_most`, where there are such bounds. `of` tells what it was made from."""

    what: str
    value: float
    of: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bounded(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    @property
    def holds(self) -> bool:
        if math.isnan(self.value):
            return not self.bounded
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def bound(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}"
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    def to_json(self) -> dict[str, Any]:
        document = {"what": self.what, "value": rounded(self.value), "of": self.of}
        return document | ({"bound": self.bound, "holds": self.holds} if self.bounded else {})


def print_checks(heading: str, checks: Sequence[Check], wide: bool) -> None:
    out = Console(width=None if wide else 160, highlight=False)
    out.print(f"\n{heading}", markup=False)
    table = Table("", "value", "bound", "", "of", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    for each in checks:
        verdict = "" if not each.bounded else "holds" if each.holds else "DOES NOT HOLD"
        table.add_row(each.what, f"{each.value:,.4g}", each.bound, verdict, each.of)
    out.print(table)


def write_json(file: Path, document: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rounded(document), indent=2) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Numbers as they are read best, and as JSON takes them, which knows no NaN."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 5)
    return value
