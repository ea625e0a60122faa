"""From when until when mapped audiences count as mapped: what is due to be turned, and what is over.

docs/rules.md, "Audiences on a schedule".
"""

from shared.domain.configuration.model import Configuration, Dataflow
from shared.domain.instants import MILLISECOND, format_instant


def schedules_due(configuration: Configuration, now_ms: int) -> bool:
    """Whether some audience counts as mapped though its schedule is not on at `now_ms`, or the other way round."""
    return any(
        audience.active != audience.active_at(now_ms)
        for dataflow in configuration.dataflows
        for audience in dataflow.audiences
        if audience.scheduled
    )


def stale_schedules(configuration: Configuration, now_ms: int) -> list[str]:
    """A line for each dataflow with schedules that are over."""
    return [line for dataflow in configuration.dataflows for line in stale_schedules_of(dataflow, now_ms)]


def stale_schedules_of(dataflow: Dataflow, now_ms: int) -> list[str]:
    over = sorted(
        f"{'/'.join(audience.key)} since {format_instant(audience.active_until * MILLISECOND)}"
        for audience in dataflow.audiences
        if audience.active_until is not None and audience.over_at(now_ms)
    )
    if not over:
        return []
    return [
        f"dataflow {dataflow.id}: the schedule of audiences is over, which count as unmapped: {', '.join(over)}; "
        "take them out, or give them another activeUntil"
    ]
