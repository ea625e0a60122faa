"""What came of the scenarios, for people and as JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.table import Table

_EXAMPLES = 5


@dataclass(frozen=True)
class Result:
    """The result line of a scenario. `attempts` counts events that a hub stored and transfers that it refused.

    `acknowledged` are the events in the hubs; lost, unexpected, duplicated and recovered are what `LoadVerdict` says.
    `seconds_to_drain` is from the last message sent, or the last fault's end if that is later, until nothing was left.
    `pairs` are the (destination, profile) that were exported, `last_not_greatest` those of them whose last event in its
    partition is not the greatest version. The last two are requests that write rows of the table Undelivered, or of any
    table, during the scenario's outage, for each change sent in it (`OutageCost`); None where they were not counted.
    """

    scenario: str
    attempts: int
    acknowledged: int
    lost: int
    unexpected: int
    duplicated: int
    recovered: int
    duplicates_per_10000: float
    seconds_to_drain: float
    pairs: int
    last_not_greatest: int
    undelivered_writes_per_change: float | None = None
    table_writes_per_change: float | None = None

    def to_json(self) -> dict[str, str | int | float | None]:
        return {to_camel(name): value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Outcome:
    """`failures` say what was lost, what was unexpected and which other promise was broken; none means success.

    `notes` say what else was seen.
    """

    result: Result
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def duplicates_by_cause(causes: Counter[str], exports: int) -> list[str]:
    """A note on each cause, the most frequent first."""
    shares = ((10_000 * count / exports, cause) for cause, count in causes.most_common())
    return [f"{share:,.1f} of 10,000 exports came again: {cause}" for share, cause in shares]


def print_outcomes(out: Console, outcomes: Sequence[Outcome], heading: str) -> None:
    out.print(f"\n{heading}", markup=False)
    headers = (each.name.replace("_", " ") for each in fields(Result))
    table = Table(*headers, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for outcome in outcomes:
        table.add_row(*map(_shown, asdict(outcome.result).values()))
    out.print(table)
    for outcome in outcomes:
        for note in outcome.notes:
            out.print(f"{outcome.result.scenario}: {note}", markup=False, soft_wrap=True)
        for failure in outcome.failures[:_EXAMPLES]:
            out.print(f"{outcome.result.scenario}: {failure}", markup=False, soft_wrap=True)
        if len(outcome.failures) > _EXAMPLES:
            out.print(f"{outcome.result.scenario}: and {len(outcome.failures) - _EXAMPLES:,} more")


def _shown(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:,}"


def write_outcomes(file: Path, outcomes: Sequence[Outcome]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    document = [outcome.result.to_json() for outcome in outcomes]
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
