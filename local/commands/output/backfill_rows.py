"""A backfill, a sweep or an upload for people at a terminal: a row of a table, or a line."""

from typing import Any

from local.terminal import duration, printable
from shared.domain.backfills.backfill import BackfillKind, BackfillState
from shared.domain.backfills.standstill import StandstillReason
from shared.domain.instants import SECOND, format_instant
from shared.services.backfills.status import BackfillStatus

HEADINGS = ("ID", "TO", "AUDIENCES", "STATE", "MEMBERS", "EXPORTED", "UNDELIVERED", "SHARE", "RATE", "LEFT", "AGE")
NUMBERS = {"MEMBERS", "EXPORTED", "UNDELIVERED", "RATE", "LEFT", "AGE"}
_NAMES_SHOWN = 30
_BAR_CELLS = 8


def facts_of(status: BackfillStatus) -> tuple[Any, ...]:
    """What must differ for it to have changed; time alone changes nothing."""
    progress, still = status.progress, status.standstill
    why = (still.reason, still.why) if still else None
    return status.backfill.state, why, progress.members, progress.exported, progress.undelivered, progress.share


def state_of(status: BackfillStatus) -> str:
    """In words: what it waits for, what holds it up, or how it ended."""
    backfill, still = status.backfill, status.standstill
    if still is None:
        if backfill.state == BackfillState.DONE:
            return f"done in {duration((backfill.finished_at - backfill.started_at) / SECOND)}"
        if backfill.note.startswith(backfill.state):
            return backfill.note
        return f"{backfill.state}: {backfill.note}" if backfill.note else backfill.state
    if still.reason == StandstillReason.PAUSED:
        return "paused"
    if still.reason == StandstillReason.NOT_DUE:
        return f"waiting, due in {duration((backfill.due_at - status.now) / SECOND)}"
    if still.reason == StandstillReason.NOT_STARTED:
        return "waiting for its start"
    return f"{backfill.state}: {still.why}"


def cells_of(status: BackfillStatus) -> dict[str, str]:
    """By heading; what does not apply is a dash."""
    backfill, progress = status.backfill, status.progress
    paused = status.standstill is not None and status.standstill.reason == StandstillReason.PAUSED
    left = progress.seconds_left if backfill.state == BackfillState.RUNNING and not paused else None
    rate = progress.members_per_second
    cells = {
        "ID": backfill.id,
        "TO": backfill.destination_id or "-",
        "AUDIENCES": _audiences(status),
        "STATE": state_of(status),
        "MEMBERS": f"{progress.members:,}",
        "EXPORTED": f"{progress.exported:,}",
        "UNDELIVERED": f"{progress.undelivered:,}",
        "SHARE": _bar(progress.share),
        "RATE": f"{rate:,.0f}/s" if rate else "-",
        "LEFT": "-" if left is None else duration(left),
        "AGE": duration((status.now - backfill.requested_at) / SECOND),
    }
    return {heading: printable(cell) for heading, cell in cells.items()}


def line_of(status: BackfillStatus) -> str:
    """For a pipe: when, which, state and how far."""
    progress = status.progress
    counts = [f"{progress.members:,} members", f"{progress.exported:,} exported"]
    if progress.undelivered:
        counts.append(f"{progress.undelivered:,} undelivered")
    when = format_instant(status.now // SECOND * SECOND)
    return printable(f"{when}  {status.backfill.id}  {state_of(status)}  {progress.share:.0%}  {', '.join(counts)}")


def _audiences(status: BackfillStatus) -> str:
    if status.backfill.kind == BackfillKind.SWEEP:
        return "all profiles"
    names = ", ".join(status.names.get(key) or "/".join(key) for key, _ in status.backfill.audiences)
    names = names if len(names) <= _NAMES_SHOWN else f"{len(status.backfill.audiences)} audiences"
    order = status.backfill.resync
    if order is None:
        return names
    if order.profiles:
        return f"{order.profiles:,} profiles again"
    since = f", saved since {format_instant(order.since)}" if order.since else ""
    keys = f", keys {order.first[:4]} to {order.last[:4]}" if order.last else ""
    return f"{names}{since}{keys} again"


def _bar(share: float) -> str:
    full = int(share * _BAR_CELLS)
    return f"{'█' * full}{'░' * (_BAR_CELLS - full)} {int(share * 100):3} %"
