"""`python -m local backfills`: how far backfills and sweeps are; cancel one, or ask for a sweep."""

import argparse
import asyncio

from local.commands.output.backfill_output import as_json, print_table, watch
from local.commands.output.backfill_rows import line_of
from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from shared.bootstrap import Relay
from shared.domain.backfills.backfill import BackfillKind
from shared.errors import ConflictError, RelayError
from shared.services.backfills.status import BackfillStatus

SUMMARY = "show how far backfills are, cancel one, ask for a sweep"
DESCRIPTION = """\
Show every backfill of the last 30 days, the oldest first: which audiences' members go to which destination, its state,
how many members it has come past, how many of them it exported, and how many exports wait as undelivered. Mapping an
audience, creating a dataflow or resuming one asks for a backfill (python -m local apply), which starts once every
worker knows the mapping. It pauses while its dataflow does. Sweeps and uploads of audiences are listed, too; members
of an upload are lines and members looked at, exports what it has put on the queue of profile changes.
"""
NONE = "there are none: mapping an audience makes one (python -m local apply)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as GET /api/backfills shows them")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="follow those that have not ended until they have: live on a terminal, else a line for each change",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--cancel", metavar="ID", help="end this one; what it has exported stays exported, the rest is not exported"
    )
    what.add_argument(
        "--sweep",
        action="store_true",
        help="ask for a sweep now, which otherwise comes daily (SWEEP_SCHEDULE). A sweep goes through all profiles: "
        "uploaded memberships that lapsed end, and their exits are exported; memberships that ended over 30 days ago "
        "are forgotten; deletions that wait for a destination go on; tombstones over 30 days old go",
    )


def run(args: argparse.Namespace) -> int:
    try:
        asyncio.run(_run(args, StateDirectory(args.state_dir).settings()))
    except RelayError as error:
        raise LocalError(str(error)) from error
    return 0


async def _run(args: argparse.Namespace, settings: StackSettings) -> None:
    async with opened_relay(settings) as relay:
        asked_for = None
        if args.cancel is not None:
            asked_for = await _cancel(relay, args.cancel)
        elif args.sweep:
            asked_for = await _sweep(relay)
        if args.watch:
            await watch(relay, json_lines=args.json)
        elif asked_for is not None:
            print(as_json(asked_for) if args.json else line_of(asked_for))
        else:
            _print_all(await relay.services.backfill_statuses.all(), json_lines=args.json)


def _print_all(statuses: list[BackfillStatus], *, json_lines: bool) -> None:
    if json_lines:
        for status in statuses:
            print(as_json(status))
    elif statuses:
        print_table(statuses)
    else:
        print(NONE)


async def _cancel(relay: Relay, backfill_id: str) -> BackfillStatus:
    try:
        cancelled = await relay.services.plan_backfills.cancel(backfill_id)
    except ConflictError as error:
        raise LocalError(f"backfill {backfill_id} was not cancelled, for it changed just then: try again") from error
    return await relay.services.backfill_statuses.of(cancelled)


async def _sweep(relay: Relay) -> BackfillStatus:
    """The sweep that was asked for; one that has not ended yet does for it."""
    await relay.services.plan_backfills.sweep()
    found = await relay.services.backfill_statuses.all()
    return [status for status in found if status.backfill.kind == BackfillKind.SWEEP][-1]
