"""`python -m local why`: what is known of a profile, and what each destination would hear of it now."""

import argparse
import asyncio
import json

from local.errors import LocalError
from local.relay import opened_relay
from local.stack.state import StackSettings, StateDirectory
from local.terminal import console, printable
from shared.domain.configuration.model import Configuration
from shared.errors import RelayError
from shared.services.changes.explain import Explanation
from shared.views.explained import Explained, Named, explained
from shared.views.profiles import DryRunView, ProfileDocument

SUMMARY = "explain a profile: what is remembered, what was exported, what waits, what each destination would hear"
DESCRIPTION = """\
Show what is remembered of PROFILE; what was exported of it when, at which version and why; what is undelivered, what
is in quarantine; then what each destination would be told if it were told again now, or why it would not be. Backfills,
resyncs and retries are not among what was exported. Nothing is saved or sent. The exit code is 1 where nothing is known
of the profile: its case counts, and so do spaces.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", metavar="PROFILE", help="the profile's id")
    parser.add_argument("--destination", metavar="ID", default="", help="tell of this destination alone")
    parser.add_argument("--json", action="store_true", help="one JSON object, with the whole profile and exports")


def run(args: argparse.Namespace) -> int:
    try:
        explanation, configuration = asyncio.run(_explain(StateDirectory(args.state_dir).settings(), args.profile))
        if args.destination:
            configuration.destination(args.destination)
    except RelayError as error:
        raise LocalError(str(error)) from error
    known = None if explanation.profile is None else ProfileDocument.of(explanation.profile)
    foreseen = DryRunView.of(explanation.foreseen)
    if args.json:
        print(json.dumps({"profile": known and known.document(), **foreseen.document()}))
        return int(known is None)
    if known is None:
        asked = printable(args.profile)
        raise LocalError(f"nothing is known of a profile {asked!r}: its case counts, and so do spaces")
    _show(known, explained(known, foreseen, configuration, args.destination))
    return 0


async def _explain(settings: StackSettings, profile_id: str) -> tuple[Explanation, Configuration]:
    async with opened_relay(settings) as relay:
        services = relay.services
        return await services.explain_profile.explain(None, profile_id), await services.edit_configuration.load()


def _show(profile: ProfileDocument, told: Explained) -> None:
    say = _say
    say(f"{profile.profile_id}  version {profile.profile_version}", "bold")
    if profile.deletion is not None:
        say(f"forgotten at {profile.deletion['deletedAt']}", "yellow")
    for namespace, audiences in profile.segment_membership.items():
        for audience, membership in audiences.items():
            status, name = membership["status"], told.audiences.get((namespace, audience))
            mark = "-" if status == "exited" else "+"
            called = f" ({name})" if name else ""
            say(f"  {mark} {namespace}/{audience}{called} {status} since {membership['lastQualificationTime']}")
    _show_past(profile, told)
    say("if it were told again now:", "dim")
    for each in told.foreseen:
        verdict = each.verdict
        why = ", ".join(verdict.why) if verdict.outcome == "nothing" else verdict.held_back or ""
        say(f"  {_called(each.destination):<20} {verdict.outcome:<8} {why}".rstrip())
    for others in told.unconcerned:
        say(f"  {len(others.destinations)} {others.what}: {', '.join(each.id for each in others.destinations)}")


def _show_past(profile: ProfileDocument, told: Explained) -> None:
    say = _say
    say("what happened:", "dim")
    if not told.past:
        say("  no change has called for an export, as far as is known")
    for past in told.past:
        say(f"  {_called(past.destination)}")
        if row := past.undelivered:
            say(f"    {row.state} since {row.first_failed_at}: {row.last_error}", "red")
        for each in past.told:
            state = "waits   " if each.waits else "exported"
            message = f"  message {each.item}" if each.item else ""
            say(f"    {each.at}  {state} {', '.join(each.reasons)}  version {each.profile_version}{message}")
    for item in profile.quarantined:
        say(f"  in quarantine since {item.received_at}, {item.row_id}: {item.reason}", "red")


def _called(destination: Named) -> str:
    return destination.id if destination.id == destination.name else f"{destination.id} ({destination.name})"


def _say(line: str, style: str = "") -> None:
    console().print(printable(line), style=style, markup=False)
