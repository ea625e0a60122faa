"""`python -m local quarantine`: what could not be taken, and why."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.cli_types import positive_int
from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from local.terminal import printable
from shared.domain.instants import format_instant
from shared.errors import RelayError
from shared.ports.quarantine import StoredQuarantinedItem
from shared.services.changes.quarantine import ReplayQuarantined
from shared.views.quarantine import QuarantinedView

SUMMARY = "show what could not be taken, and why"
DESCRIPTION = """\
Show the items in quarantine, newest first: row id, when the message was received, the item's index in it, the code of
the failure (docs/errors.md), and the reason. With --json each is an object on a line, with its bytes as text (body) or,
where they are none, as base64 (bodyBase64): profiles' data. python -m local replay puts items back on the queue.
"""
_ROW_ID_WIDTH = 62


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the bytes")
    parser.add_argument("--reason", metavar="TEXT", help="only items whose reason has TEXT in it")
    parser.add_argument("--limit", type=positive_int, metavar="N", help="end after N items")


def run(args: argparse.Namespace) -> int:
    try:
        asyncio.run(_show(args, StateDirectory(args.state_dir).settings()))
    except RelayError as error:
        raise LocalError(str(error)) from error
    return 0


@asynccontextmanager
async def replaying(settings: StackSettings) -> AsyncIterator[ReplayQuarantined]:
    """The service over the storage of the running stack, or of the one that the environment names."""
    async with opened_relay(settings) as relay:
        yield relay.services.replay_quarantined


async def _show(args: argparse.Namespace, settings: StackSettings) -> None:
    shown = 0
    async with replaying(settings) as service:
        async for stored in service.quarantined(args.reason):
            if not shown and not args.json:
                print(_line("ROW ID", "RECEIVED", "ITEM", "CODE", "REASON"))
            print(json.dumps(QuarantinedView.of(stored).document()) if args.json else _readable(stored), flush=True)
            shown += 1
            if shown == args.limit:
                break
    if not shown and not args.json:
        print("nothing is in quarantine" + (f" with {args.reason!r} in its reason" if args.reason else ""))


def _readable(stored: StoredQuarantinedItem) -> str:
    item = "-" if stored.item is None else str(stored.item)
    return _line(stored.row_id, format_instant(stored.received_at), item, stored.code or "-", printable(stored.reason))


def _line(row_id: str, received: str, item: str, code: str, reason: str) -> str:
    return f"{row_id:<{_ROW_ID_WIDTH}}  {received:<20}  {item:>5}  {code:<17}  {reason}"
