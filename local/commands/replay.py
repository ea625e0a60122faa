"""`python -m local replay`: put what is in quarantine back on the queue."""

import argparse
import asyncio
import json
import sys
import time

from local.commands.quarantine import replaying
from local.errors import LocalError
from local.stack.state import StackSettings, StateDirectory
from local.terminal import printable
from shared.errors import RelayError

SUMMARY = "put what is in quarantine back on the queue"
DESCRIPTION = """\
Put items in quarantine back on the queue of profile changes, each as a message of its own, once the cause is mended.
What cannot be taken still lands in quarantine again, under a new row id. Stopping half-way does no harm: an item may
then be replayed twice. The exit code is 1 if some were not replayed.
"""
_PROGRESS_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("row_ids", nargs="*", default=[], metavar="ROW_ID", help="as python -m local quarantine shows")
    which.add_argument("--all", action="store_true", help="all that is in quarantine now")
    parser.add_argument("--reason", metavar="TEXT", help="with --all: only items whose reason has TEXT in it")
    parser.add_argument("--json", action="store_true", help="what was done as one JSON object")


def run(args: argparse.Namespace) -> int:
    if args.reason is not None and not args.all:
        raise LocalError("--reason goes with --all: row ids say already which items to replay")
    tally = _Tally()
    try:
        asyncio.run(_replay(args, StateDirectory(args.state_dir).settings(), tally))
    except RelayError as error:
        raise LocalError(f"{error}; {tally}, the rest is in quarantine: replay again") from error
    print(json.dumps({"replayed": tally.replayed, "failed": tally.failed}) if args.json else tally)
    return 1 if tally.failed else 0


class _Tally:
    def __init__(self) -> None:
        self.replayed = 0
        self.failed = 0

    def __str__(self) -> str:
        return f"{self.replayed:,} replayed, {self.failed:,} failed"


async def _replay(args: argparse.Namespace, settings: StackSettings, tally: _Tally) -> None:
    told = time.monotonic()
    async with replaying(settings) as service:
        row_ids = dict.fromkeys(args.row_ids)
        async for outcome in service.replay_all(args.reason) if args.all else service.replay(row_ids):
            if outcome.problem is None:
                tally.replayed += 1
            else:
                tally.failed += 1
                print(printable(f"{outcome.row_id}: {outcome.problem}"), file=sys.stderr, flush=True)
            if time.monotonic() - told >= _PROGRESS_SECONDS:
                told = time.monotonic()
                print(f"{tally} so far", file=sys.stderr, flush=True)
