"""Shows backfills at once, or until they have ended: a table that renews itself on a terminal, lines in a pipe."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from rich.cells import cell_len
from rich.live import Live
from rich.table import Table

from local.commands.backfill_view import HEADINGS, NUMBERS, BackfillView, look
from local.terminal import console
from shared.bootstrap import Relay

Show = Callable[[Sequence[BackfillView]], None]
_LOOK_SECONDS = 1.0
_SPACE = 2
_LEAST_NEEDED = ("TO", "RATE", "AGE", "AUDIENCES", "LEFT", "UNDELIVERED", "MEMBERS")
"""The columns that a narrow terminal does without, these first: an id begins with the destination's."""


def as_json(view: BackfillView) -> str:
    return json.dumps(view.to_json(), ensure_ascii=False)


def print_table(views: Sequence[BackfillView]) -> None:
    """A line for each; on a terminal as many of the columns as fit, else all."""
    out = console()
    if out.is_terminal:
        out.print(backfill_table(views, out.width))
    else:
        width = sum(_widths(views, HEADINGS))
        console(width=width).print(backfill_table(views, width))


def backfill_table(views: Sequence[BackfillView], width: int) -> Table:
    """A row for each, with as many of the columns as `width` characters have room for."""
    headings = list(HEADINGS)
    for heading in _LEAST_NEEDED:
        if sum(_widths(views, headings)) - _SPACE <= width:
            break
        headings.remove(heading)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", no_wrap=True)
    for view in views:
        table.add_row(*(view.cells[heading] for heading in headings), style="dim" if view.backfill.finished else None)
    return table


def _widths(views: Sequence[BackfillView], headings: Sequence[str]) -> list[int]:
    return [max(map(cell_len, (heading, *(view.cells[heading] for view in views)))) + _SPACE for heading in headings]


async def watch(relay: Relay, *, json_lines: bool) -> None:
    """Follow the backfills that have not ended, and those asked for meanwhile. Raises StorageError."""
    out = console()
    live = Live(console=out, auto_refresh=False) if out.is_terminal and not json_lines else None
    show = _changes_printer(as_json if json_lines else _line) if live is None else _live_table(live)
    followed: set[str] = set()
    with live or nullcontext():
        while True:
            views = await look(relay)
            followed |= {view.backfill.id for view in views if not view.backfill.finished}
            show([view for view in views if view.backfill.id in followed])
            if all(view.backfill.finished for view in views):
                break
            await asyncio.sleep(_LOOK_SECONDS)
    if not followed and not json_lines:
        print("nothing to wait for: there is no backfill that has not ended")


def _line(view: BackfillView) -> str:
    return view.line


def _live_table(live: Live) -> Show:
    return lambda views: live.update(backfill_table(views, live.console.width) if views else "", refresh=True)


def _changes_printer(text_of: Callable[[BackfillView], str]) -> Show:
    printed: dict[str, tuple[Any, ...]] = {}

    def show(views: Sequence[BackfillView]) -> None:
        for view in views:
            if printed.get(view.backfill.id) != view.facts:
                printed[view.backfill.id] = view.facts
                print(text_of(view), flush=True)

    return show
