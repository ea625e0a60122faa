"""`python -m local demo`: from nothing to exports, a backfill and a forgotten profile, on a stack of its own."""

import argparse
import asyncio
import json
import signal

from rich.console import Console
from rich.markup import escape

from local import cli_types
from local.commands.apply import read_configuration_file
from local.commands.demo.backfill import apply_first, map_one_more_audience, wait_for_first_backfills
from local.commands.demo.changes import Changes
from local.commands.demo.exports import Arrived
from local.commands.demo.forgetting import forget_a_profile
from local.commands.demo.left_dead import leave_a_dead_export
from local.commands.demo.scene import CONFIGURATION, SAMPLE, Scene
from local.commands.demo.summary import print_summary
from local.commands.up import stop_signals, wait
from local.exports import ExportReader
from local.stack.local_stack import LocalStack, Report, require_host
from local.terminal import console
from shared.bootstrap import build
from shared.domain.configuration.model import ConfigurationFile

SUMMARY = "play the sample changes, show the exports, a backfill and a deletion"
DESCRIPTION = """\
Start a local stack of its own (on free ports, in memory), apply samples/config.json, play samples/changes.ndjson and
show each export as it arrives. Then map one more audience, whose members are backfilled, and forget a profile. A
summary ends it. Fails if an export is missing, or if more than a tombstone is left of the forgotten profile.
"""
_SCHEDULES = {"BACKFILL_SCHEDULE": "* * * * * *", "SWEEP_SCHEDULE": "23:00:00"}
"""A backfill waits until every worker knows the mapping: who watches a demo need not wait for the timer, too. And a
sweep, were it due just then, would let the sample's uploads lapse.
"""
_SHOWN_WHOLE = "john.doe"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="show every export, not the first dozen of them")
    parser.add_argument(
        "--keep", action="store_true", help="at the end, keep the stack up until Ctrl-C, to look at it in the console"
    )
    cli_types.add_host_argument(parser)


def run(args: argparse.Namespace) -> int:
    out = console()
    require_host(args.host)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else whatever the stack has started would outlive it
    with LocalStack(args.state_dir / "demo", report=_reporter(out)) as stack:
        wanted = read_configuration_file(str(CONFIGURATION))
        apply_first(out, stack, wanted)
        stack.start_functions_host(kind=args.host, settings=_SCHEDULES)
        asyncio.run(_play(stack, out, wanted, everything=args.all, keep=args.keep))
        if args.keep:
            out.print(f"\nLook at it: {escape(stack.functions_host.console_url)} (Ctrl-C stops everything)")
            with stop_signals(stack) as stop:
                wait(stack, stop)
    return 0


def _reporter(out: Console) -> Report:
    def report(name: str, summary: str | None) -> None:
        if summary is not None:
            out.print(f"[green]started[/green] {name}: {escape(summary)}")

    return report


async def _play(stack: LocalStack, out: Console, wanted: ConfigurationFile, *, everything: bool, keep: bool) -> None:
    hubs = await asyncio.to_thread(stack.broker.hubs)
    relay = await build(stack.settings)
    try:
        async with ExportReader(stack.event_hubs_connection_string, hubs) as reader, Changes(stack) as changes:
            scene = Scene(stack, out, relay, changes, Arrived(reader, out, everything=everything))
            await wait_for_first_backfills(scene)
            await _export_the_sample(scene)
            await map_one_more_audience(scene, wanted)
            await forget_a_profile(scene)
            await print_summary(scene)
            if keep:
                await leave_a_dead_export(scene)
    finally:
        await relay.close()


async def _export_the_sample(scene: Scene) -> None:
    scene.title("Exports", "of samples/changes.ndjson, as they arrive in the hubs")
    sending = asyncio.create_task(scene.changes.send_file(SAMPLE, scene.arrived.first))
    try:
        exports = await scene.read_exports(lambda: sending.done() and sending.result() is None)
    finally:
        sending.cancel()
    whole = next(export for export in exports if export.properties["profileId"] == _SHOWN_WHOLE)
    scene.title("One of them, whole:", "application properties and body")
    scene.out.print(json.dumps({"properties": whole.properties, "body": whole.body}, indent=2), markup=False)
