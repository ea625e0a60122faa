"""`python -m local redrive`: send what a destination has not heard of, now."""

import argparse
import asyncio
import json

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import EVENTHUBS, StackSettings, StateDirectory
from shared.errors import RelayError

SUMMARY = "send what a destination has not heard of, now"
DESCRIPTION = """\
Send the exports that DESTINATION has not received, with the profiles as they are now: those that are parked, and those
that are dead, also for a permanent reason. The app does so by itself once a destination answers again, except for
the last kind. A destination that is down is tried with one export first; it then counts as recovering, and the app
sends the rest when every worker has heard of it. Prints what was done and what is left.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("destination", metavar="DESTINATION", help="the destination's id")


def run(args: argparse.Namespace) -> int:
    settings = StateDirectory(args.state_dir).settings()
    try:
        done, left = asyncio.run(_redrive(settings, args.destination))
    except RelayError as error:
        raise LocalError(str(error)) from error
    print(json.dumps({"done": done, "left": left}))
    return 0


async def _redrive(settings: StackSettings, destination_id: str) -> tuple[dict[str, int], int]:
    settings.require(EVENTHUBS)
    async with opened_relay(settings) as relay:
        stored = (await relay.configuration.load()).configuration
        known = sorted(destination.id for destination in stored.destinations)
        if destination_id not in known:
            raise LocalError(f"there is no destination {destination_id!r}: there are {', '.join(known) or 'none'}")
        outcome = await relay.services.watch_destinations.redrive(destination_id)
        left = [stored async for stored in relay.undelivered.of(destination_id)]
    return outcome.summary().get(destination_id, {}), len(left)
