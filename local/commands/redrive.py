"""`python -m local redrive`: send what a destination has not heard of, now."""

import argparse
import asyncio
import json
import sys

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import EVENTHUBS, StackSettings, StateDirectory
from shared.errors import RelayError
from shared.services.wiring import Services

_TELL_AFTER_SECONDS = 3.0
SUMMARY = "send what a destination has not heard of, now"
DESCRIPTION = """\
Send the exports that DESTINATION has not received, with the profiles as they are now: those that are parked, and those
that are dead, also for a permanent reason. The app does so by itself once a destination answers again, except for
the last kind. A destination that is down is tried with one export first; it then counts as recovering, and the app
sends the rest when every worker has heard of it. What takes longer than a few seconds is handed out to the instances
of the app, which go on with it. Says every few seconds what is left; in the end prints, as JSON, what was done and what
is left.
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
        telling = asyncio.create_task(_tell_what_is_left(relay.services, destination_id))
        try:
            outcome = await relay.services.watch_destinations.redrive(destination_id)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        left = [stored async for stored in relay.undelivered.of(destination_id)]
    return outcome.summary().get(destination_id, {}), len(left)


async def _tell_what_is_left(services: Services, destination_id: str) -> None:
    while True:
        await asyncio.sleep(_TELL_AFTER_SECONDS)
        count = (await services.undelivered_exports.counts()).get(destination_id)
        if count is not None:
            print(f"{count} left", file=sys.stderr, flush=True)
