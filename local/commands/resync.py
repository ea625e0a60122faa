"""`python -m local resync`: export members of a dataflow's audiences again."""

import argparse
import asyncio
from typing import Any

from pydantic import ValidationError

from local.commands.output.backfill_output import as_json, watch
from local.commands.output.backfill_rows import line_of
from local.errors import LocalError
from local.files import lines_in
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from shared.domain.messages.resync_item import ResyncRequest
from shared.domain.problems import describe_problems
from shared.errors import RelayError

SUMMARY = "export members of a dataflow's audiences again"
DESCRIPTION = """\
Export profiles to DESTINATION once more, as they are now, with the reason resync: the members of the audiences that its
dataflow maps, and those who left one within the last 30 days. Without an option, all of them. It goes at the pace of
backfills and is followed and cancelled as they are (python -m local backfills).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("destination", metavar="DESTINATION", help="the destination's id")
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument("--audience", metavar="ID", help="those of this mapped audience")
    whom.add_argument("--profiles", metavar="FILE", help="these profiles: an id a line, at most 10,000")
    whom.add_argument("--since", metavar="TIME", help="profiles saved since then, such as 2026-01-11T21:24:39Z")
    keys = "profiles with a profileKey from FIRST to LAST: 00 7f is half of all"
    whom.add_argument("--keys", nargs=2, metavar=("FIRST", "LAST"), help=keys)
    parser.add_argument("--namespace", default="ups", metavar="NAME", help="the audience's, ups unless told otherwise")
    parser.add_argument("--idempotency-key", metavar="TEXT", help="asked for again, the same resync is meant")
    parser.add_argument(
        "--if-running",
        choices=["refuse", "join", "replace"],
        default="refuse",
        help="where one of this dataflow has not ended: refuse this one, take that one for it if it has the same "
        "scope, or cancel that one (default refuse)",
    )
    parser.add_argument("--watch", action="store_true", help="follow it until it has ended")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as GET /api/backfills shows it")


def run(args: argparse.Namespace) -> int:
    try:
        asked = ResyncRequest.model_validate(
            {"scope": _scope(args), "idempotencyKey": args.idempotency_key, "ifRunning": args.if_running}
        )
        asyncio.run(_run(args, asked, StateDirectory(args.state_dir).settings()))
    except ValidationError as error:
        raise LocalError("\n".join(describe_problems(error))) from None
    except RelayError as error:
        raise LocalError(str(error)) from error
    return 0


def _scope(args: argparse.Namespace) -> dict[str, Any]:
    if args.audience is not None:
        return {"type": "audience", "id": args.audience, "namespace": args.namespace}
    if args.profiles is not None:
        return {"type": "profiles", "profileIds": lines_in(args.profiles)}
    if args.since is not None:
        return {"type": "saved-since", "since": args.since}
    if args.keys is not None:
        return {"type": "key-range", "first": args.keys[0], "last": args.keys[1]}
    return {"type": "everything"}


async def _run(args: argparse.Namespace, asked: ResyncRequest, settings: StackSettings) -> None:
    async with opened_relay(settings) as relay:
        requested = await relay.services.resyncs.request(args.destination, asked)
        if args.watch:
            await watch(relay, json_lines=args.json)
            return
        status = await relay.services.backfill_statuses.of(requested.backfill)
        print(as_json(status) if args.json else line_of(status))
