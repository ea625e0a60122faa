"""Shows backfills at once, or until they have ended: a table that renews itself on a terminal, lines in a pipe."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from rich.cells import cell_len
from rich.live import Live
from rich.table import Table

from local.commands.output.backfill_rows import HEADINGS, NUMBERS, cells_of, facts_of, line_of
from local.terminal import console
from shared.bootstrap import Relay
from shared.services.backfills.status import BackfillStatus
from shared.views.backfills import BackfillView

Show = Callable[[Sequence[BackfillStatus]], None]
_LOOK_SECONDS = 1.0
_SPACE = 2
_LEAST_NEEDED = ("TO", "RATE", "AGE", "AUDIENCES", "LEFT", "UNDELIVERED", "MEMBERS")
"""The columns that a narrow terminal does without, these first: an id begins with the destination's."""


def as_json(status: BackfillStatus) -> str:
    """As the API shows it."""
    return json.dumps(BackfillView.of(status).document(), ensure_ascii=False)


def print_table(statuses: Sequence[BackfillStatus]) -> None:
    """A line for each; on a terminal as many of the columns as fit, else all."""
    out = console()
    if out.is_terminal:
        out.print(backfill_table(statuses, out.width))
    else:
        width = sum(_widths([cells_of(status) for status in statuses], HEADINGS))
        console(width=width).print(backfill_table(statuses, width))


def backfill_table(statuses: Sequence[BackfillStatus], width: int) -> Table:
    """A row for each, with as many of the columns as `width` characters have room for."""
    headings, rows = list(HEADINGS), [cells_of(status) for status in statuses]
    for heading in _LEAST_NEEDED:
        if sum(_widths(rows, headings)) - _SPACE <= width:
            break
        headings.remove(heading)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", no_wrap=True)
    for status, row in zip(statuses, rows, strict=True):
        table.add_row(*(row[heading] for heading in headings), style="dim" if status.backfill.finished else None)
    return table


def _widths(rows: Sequence[Mapping[str, str]], headings: Sequence[str]) -> list[int]:
    return [max(map(cell_len, (heading, *(row[heading] for row in rows)))) + _SPACE for heading in headings]


async def watch(relay: Relay, *, json_lines: bool) -> None:
    """Follow the backfills that have not ended, and those asked for meanwhile. Raises StorageError."""
    out = console()
    live = Live(console=out, auto_refresh=False) if out.is_terminal and not json_lines else None
    show = _changes_printer(as_json if json_lines else line_of) if live is None else _live_table(live)
    followed: set[str] = set()
    with live or nullcontext():
        while True:
            statuses = await relay.services.backfill_statuses.all()
            followed |= {status.backfill.id for status in statuses if not status.backfill.finished}
            show([status for status in statuses if status.backfill.id in followed])
            if all(status.backfill.finished for status in statuses):
                break
            await asyncio.sleep(_LOOK_SECONDS)
    if not followed and not json_lines:
        print("nothing to wait for: there is no backfill that has not ended")


def _live_table(live: Live) -> Show:
    return lambda found: live.update(backfill_table(found, live.console.width) if found else "", refresh=True)


def _changes_printer(text_of: Callable[[BackfillStatus], str]) -> Show:
    printed: dict[str, tuple[Any, ...]] = {}

    def show(statuses: Sequence[BackfillStatus]) -> None:
        for status in statuses:
            facts = facts_of(status)
            if printed.get(status.backfill.id) != facts:
                printed[status.backfill.id] = facts
                print(text_of(status), flush=True)

    return show
