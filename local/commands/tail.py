"""`python -m local tail`: print exports as they arrive."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
from textwrap import indent
from typing import Any

from rich.text import Text

from local.broker.control import BrokerControl, BrokerControlError
from local.cancelling import end
from local.cli_types import positive_int, positive_seconds
from local.errors import ExportsUnreadableError, SettingMissingError
from local.exports import DEFAULT_CONSUMER_GROUP, Export, ExportReader
from local.stack.state import StackSettings, StateDirectory
from local.terminal import console, printable

SUMMARY = "print exports as they arrive in the hubs"
DESCRIPTION = """\
Print exports as they arrive in the hubs: from all hubs of the local stack, also those created later, or from
the ones named with --hub. Each line has the time, the hub, the reason, the profile, its audiences (+ realized,
- exited) and the profile's version, and ? for what an event that is no export has not. Reading takes nothing out
of a hub. The exit code is 4 where --timeout passed before --count exports were there.
"""
_NEW_HUBS_INTERVAL = 1.0
_SHOWN_OF_AN_ID = 8
_NOT_IN_TIME = 4
_HEADING = f"{'TIME':<14}{'HUB':<11}{'REASON':<29}{'PROFILE':<15}{'VERSION':<19}AUDIENCES"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="one JSON object a line, with properties and whole body")
    shown.add_argument("--pretty", action="store_true", help="the line under a heading, and the body below it")
    parser.add_argument("--hub", action="append", metavar="NAME", help="read this hub; may be given more than once")
    parser.add_argument(
        "--consumer-group",
        default=DEFAULT_CONSUMER_GROUP,
        metavar="NAME",
        help="read in this one, so as to be in nobody's way (default: $Default)",
    )
    parser.add_argument("--profile", metavar="ID", help="only what tells of this profile")
    parser.add_argument(
        "--from",
        dest="start",
        choices=("earliest", "latest"),
        default="earliest",
        help="earliest: all that the hubs still hold (default); latest: what is sent from now on",
    )
    parser.add_argument("--count", type=positive_int, metavar="N", help="end after N exports")
    parser.add_argument("--timeout", type=positive_seconds, metavar="S", help="end after S seconds")


def run(args: argparse.Namespace) -> int:
    if isinstance(sys.stdout, TextIOWrapper):
        # A lone surrogate becomes \udXXX, which is how JSON writes it.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return asyncio.run(_tail(args, StateDirectory(args.state_dir).settings()))


async def _tail(args: argparse.Namespace, settings: StackSettings) -> int:
    current = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: current and current.cancel())
    printed = _Printed()
    printing = asyncio.create_task(_print_exports(args, settings, printed))
    try:
        await asyncio.wait({printing}, timeout=args.timeout)
    except asyncio.CancelledError:
        await end(printing)
        return 0
    if printing.done():
        await printing
        return 0
    await end(printing)
    if args.count:
        print(f"{printed.count} of {args.count} arrived within {args.timeout:g} s", file=sys.stderr)
        return _NOT_IN_TIME
    return 0


@dataclass(slots=True)
class _Printed:
    count: int = 0


async def _print_exports(args: argparse.Namespace, settings: StackSettings, printed: _Printed) -> None:
    connection_string = settings.event_hubs
    port = settings.local_control_port
    control = BrokerControl(port) if port is not None else None
    hubs = await _hubs_to_read(args.hub, control)
    print_export = _print_json if args.json else line_printer(pretty=args.pretty)
    async with ExportReader(connection_string, hubs, start=args.start, consumer_group=args.consumer_group) as reader:
        print(f"reading {', '.join(hubs) or 'hubs as they are created'}", file=sys.stderr, flush=True)
        watching = asyncio.create_task(_watch(reader, control, set(hubs), follow_new=not args.hub))
        try:
            async for export in reader:
                if args.profile not in {None, export.properties.get("profileId")}:
                    continue
                print_export(export)
                printed.count += 1
                if printed.count == args.count:
                    return
        finally:
            await end(watching)


async def _hubs_to_read(named: list[str] | None, control: BrokerControl | None) -> list[str]:
    if control is None:
        if named:
            return named
        raise SettingMissingError(
            "which hubs a namespace has is known of the local stack only: name them with --hub, as often as needed"
        )
    existing = await asyncio.to_thread(control.hubs)
    # The SDK would take a quarter of a minute to find this out.
    if missing := set(named or ()) - existing.keys():
        raise ExportsUnreadableError(
            f"there is no hub {' or '.join(sorted(missing))} in the local stack: it has {', '.join(sorted(existing))}"
        )
    return named or sorted(existing)


async def _watch(reader: ExportReader, control: BrokerControl | None, known: set[str], *, follow_new: bool) -> None:
    """Notice new hubs, and that Event Hubs has gone: the SDK would wait for it in silence for ever."""
    if control is None:
        return
    try:
        while True:
            await asyncio.sleep(_NEW_HUBS_INTERVAL)
            hubs = set(await asyncio.to_thread(control.hubs))
            if follow_new:
                for hub in sorted(hubs - known):
                    known.add(hub)
                    await reader.add_hub(hub)
    except BrokerControlError as error:
        reader.fail(ExportsUnreadableError(str(error)))
    except ExportsUnreadableError as error:
        reader.fail(error)


def _print_json(export: Export) -> None:
    try:
        line = json.dumps(export.to_json(), ensure_ascii=False, default=str)
    except RecursionError:
        line = json.dumps({**export.to_json(), "body": "?"}, ensure_ascii=False, default=str)
    print(line, flush=True)


def line_printer(*, pretty: bool) -> Callable[[Export], None]:
    out = console()
    if not pretty:
        return lambda export: out.print(readable_line(export))

    def with_body(export: Export) -> None:
        out.print(readable_line(export))
        body = json.dumps(export.body, ensure_ascii=False, indent=2, default=str)
        out.print(Text(indent("\n".join(map(printable, body.splitlines())), " " * 14)))

    out.print(_HEADING, style="bold")
    return with_body


def readable_line(export: Export) -> Text:
    """Time, hub, reason, profile, audiences and version of an export, `?` for what an event of others has not."""
    properties = export.properties
    when = export.enqueued_time.astimezone().strftime("%H:%M:%S.%f")[:-3]
    line = Text.assemble(
        (when, "dim"),
        "  ",
        (f"{printable(export.hub):<10} ", "cyan"),
        f"{printable(properties.get('reason', '?')):<28} ",
        (f"{printable(properties.get('profileId', '?')):<14} ", "bold"),
        (f"v{printable(properties.get('profileVersion', '?')):<17}", "dim"),
    )
    audiences = _audiences(export.body)
    if audiences is None:
        return line.append(" ?", "dim")
    for status, audience in audiences:
        line.append(
            f" {'-' if status == 'exited' else '+'}{printable(audience)}", "red" if status == "exited" else "green"
        )
    return line


def _audiences(body: Any) -> list[tuple[str, str]] | None:
    """Status and name (else the beginning of the id) of each audience, the realized ones first; None of no export."""
    try:
        entries = [
            (str(entry["status"]), str(entry.get("name", _shortened(audience))))
            for audiences in body["segmentMembership"].values()
            for audience, entry in audiences.items()
        ]
    except (LookupError, TypeError, AttributeError):
        return None
    return sorted(entries, key=lambda entry: (entry[0] == "exited", entry[1]))


def _shortened(audience_id: str) -> str:
    return audience_id if len(audience_id) <= _SHOWN_OF_AN_ID else f"{audience_id[:_SHOWN_OF_AN_ID]}…"
