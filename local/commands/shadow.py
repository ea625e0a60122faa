"""`python -m local shadow`: try a mapping beside the live one, and see what it would export."""

import argparse
import asyncio
import json

from pydantic import ValidationError

from local.errors import LocalError
from local.files import json_in
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from local.terminal import duration
from shared.domain.configuration.model import Dataflow
from shared.domain.configuration.shadows import LONGEST_HOURS, SHORTEST_HOURS, USUAL_HOURS
from shared.domain.problems import describe_problems
from shared.errors import RelayError
from shared.services.wiring import Services
from shared.views.shadows import ShadowView

SUMMARY = "try a mapping beside the live one, and say what it would export"
DESCRIPTION = """\
Say what changes called for by the mapping that is tried beside the live one of DESTINATION, and by the live one. With
--try FILE, begin: FILE is a dataflow in JSON, as in a configuration file. From then on each change is decided on by it,
too, and counted; nothing of it is sent. --make-live saves it as the live mapping, --drop forgets it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("destination", metavar="DESTINATION", help="the destination's id")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--try", metavar="FILE", dest="candidate", help="try this mapping from now on")
    what.add_argument("--make-live", action="store_true", help="save what is tried as the live mapping")
    what.add_argument("--drop", action="store_true", help="try it no more, and forget what was counted")
    parser.add_argument(
        "--hours",
        type=int,
        choices=range(SHORTEST_HOURS, LONGEST_HOURS + 1),
        default=USUAL_HOURS,
        metavar="N",
        help=f"with --try: for how long, {SHORTEST_HOURS} to {LONGEST_HOURS} (default {USUAL_HOURS})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, as the API answers")


def run(args: argparse.Namespace) -> int:
    try:
        candidate = _read(args.candidate, args.destination) if args.candidate else None
        asyncio.run(_run(args, candidate, StateDirectory(args.state_dir).settings()))
    except ValidationError as error:
        raise LocalError("\n".join(describe_problems(error))) from None
    except RelayError as error:
        raise LocalError(str(error)) from error
    return 0


def _read(file: str, destination_id: str) -> Dataflow:
    document = json_in(file)
    if isinstance(document, dict):
        document = {"id": destination_id} | document
    candidate = Dataflow.model_validate(document)
    if candidate.id != destination_id:
        raise LocalError(f"{file}: /id: expected {destination_id}, or none")
    return candidate


async def _run(args: argparse.Namespace, candidate: Dataflow | None, settings: StackSettings) -> None:
    async with opened_relay(settings) as relay:
        services = relay.services
        if args.drop:
            await services.shadows.drop(args.destination)
            print(f"shadow of dataflow {args.destination} dropped")
        elif args.make_live:
            plan = await services.shadows.make_live(args.destination)
            print("\n".join([f"shadow of dataflow {args.destination} made live", *plan.summary]))
        else:
            if candidate is not None:
                await services.shadows.begin(candidate, args.hours)
            view = await _view(services, args.destination)
            print(json.dumps(view.document()) if args.json else "\n".join(_lines(view)))


async def _view(services: Services, destination_id: str) -> ShadowView:
    configuration = await services.edit_configuration.load()
    return ShadowView.of(await services.shadows.figures(configuration, destination_id))


def _lines(view: ShadowView) -> list[str]:
    left = f"{duration(view.seconds_left)} left" if view.state == "running" else "over"
    table = [("", "live", "candidate"), *view.rows()]
    lines = [f"tried beside the live mapping of {view.id} since {view.started_at}, {left}"]
    lines += [f"{label:<34}{live:>16}{candidate:>16}" for label, live, candidate in table]
    lines.append(f"{view.differing:,} of {view.both:,} that both export have a different body")
    if view.live_changed:
        lines.append("the live mapping was changed meanwhile: what is counted as live is of more than one")
    if view.backfill is not None:
        lines.append(f"making it live backfills {view.backfill.text}")
    return lines + [f"making it live {each}" for each in view.removals]
