"""`python -m local why`: what is known of a profile, and what each destination would hear of it now."""

import argparse
import asyncio
import json
from typing import Any

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from local.terminal import console, printable
from shared.errors import RelayError
from shared.views.profiles import DryRunView, ProfileDocument

SUMMARY = "explain a profile: what is remembered, what waits, what each destination would hear"
DESCRIPTION = """\
Show what is remembered of PROFILE, which of its exports are undelivered, and what each destination would be told if it
were told again now, or why it would not be. Nothing is saved or sent. The exit code is 1 where nothing is known of the
profile: its case counts, and so do spaces.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", metavar="PROFILE", help="the profile's id")
    parser.add_argument("--json", action="store_true", help="one JSON object, with the whole profile and exports")


def run(args: argparse.Namespace) -> int:
    try:
        known, foreseen = asyncio.run(_explain(StateDirectory(args.state_dir).settings(), args.profile))
    except RelayError as error:
        raise LocalError(str(error)) from error
    if args.json:
        print(json.dumps({"profile": known and known.document(), **foreseen.document()}))
        return int(known is None)
    if known is None:
        asked = printable(args.profile)
        raise LocalError(f"nothing is known of a profile {asked!r}: its case counts, and so do spaces")
    _show(known.document(), foreseen.document())
    return 0


async def _explain(settings: StackSettings, profile_id: str) -> tuple[ProfileDocument | None, DryRunView]:
    async with opened_relay(settings) as relay:
        explain = relay.services.explain_profile
        known = await explain.look_up(profile_id)
        foreseen = DryRunView.of(await explain.dry_run(None, profile_id))
    return None if known is None else ProfileDocument.of(known), foreseen


def _show(profile: dict[str, Any], foreseen: dict[str, Any]) -> None:
    out = console()

    def say(line: str, style: str = "") -> None:
        out.print(printable(line), style=style, markup=False)

    say(f"{profile['profileId']}  version {profile['profileVersion']}", "bold")
    if profile["deletion"] is not None:
        say(f"forgotten at {profile['deletion']['deletedAt']}", "yellow")
    for namespace, audiences in profile["segmentMembership"].items():
        for audience, membership in audiences.items():
            status = membership["status"]
            mark = "-" if status == "exited" else "+"
            say(f"  {mark} {namespace}/{audience} {status} since {membership['lastQualificationTime']}")
    undelivered = {each["destinationId"]: each for each in profile["undelivered"]}
    say("if it were told again now:", "dim")
    concerned = [each for each in foreseen["destinations"] if each["outcome"] != "nothing"]
    others = [each for each in foreseen["destinations"] if each["outcome"] == "nothing"]
    for verdict in [*concerned, *others]:
        why = ", ".join(verdict["why"]) if verdict["outcome"] == "nothing" else verdict["heldBack"] or ""
        say(f"  {verdict['destinationId']:<20} {verdict['outcome']:<8} {why}".rstrip())
        if (row := undelivered.get(verdict["destinationId"])) is not None:
            say(f"    {row['state']} since {row['firstFailedAt']}: {row['lastError']}", "red")
