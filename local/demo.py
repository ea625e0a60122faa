"""`python -m local demo`: the main job from nothing to the exports, on a stack of its own, and what came of it."""

import argparse
import asyncio
import json
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from azure.storage.queue.aio import QueueClient
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.apply import apply, print_plan, read_configuration_file
from local.batches import MESSAGE_LIMIT, Batcher, Message
from local.errors import LocalError
from local.exports import Export, ExportReader
from local.parts import PROJECT
from local.stack import CHANGES_QUEUE, LocalStack, Report
from local.tail import readable_line
from local.terminal import console
from shared.bootstrap import clock
from shared.domain.instants import parse_instant

SUMMARY = "play the sample changes and show the exports"
DESCRIPTION = """\
Start a local stack of its own (on free ports, in memory), apply samples/config.json, play samples/changes.ndjson, show
each export as it arrives and a summary at the end. Fails if an export is missing.
"""
SAMPLES = PROJECT / "samples"
CHANGES_IN_A_MESSAGE = 10
CHANGES_PER_SECOND = 100
DEADLINE_SECONDS = 120.0
_OUTCOME = re.compile(r"exported (\{.*\})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="show the summary alone")


def run(args: argparse.Namespace) -> int:
    out = console()
    with LocalStack(args.state_dir / "demo", report=_reporter(out)) as stack:
        wanted = read_configuration_file(str(SAMPLES / "config.json"))
        out.print("\n[bold]Configuration[/bold] samples/config.json")
        print_plan(asyncio.run(apply(stack.storage_connection_string, wanted)), 7)
        stack.start_functions_host()
        out.print("\n[bold]Exports[/bold] of samples/changes.ndjson, as they arrive in the hubs")
        played = asyncio.run(_play(stack, out, quiet=args.quiet))
    whole = next(export for export in played.exports if export.properties["profileId"] == "john.doe")
    out.print("\n[bold]One of them, whole[/bold]: application properties and body")
    out.print(json.dumps({"properties": whole.properties, "body": whole.body}, indent=2), markup=False)
    _print_summary(out, played)
    return 0


def _reporter(out: Console) -> Report:
    def report(name: str, summary: str | None) -> None:
        if summary is not None:
            out.print(f"[green]started[/green] {name}: {escape(summary)}")

    return report


@dataclass(slots=True)
class Played:
    """`sent_at` (epoch microseconds) is known by (profile id, occurredAt) of each change."""

    changes: int = 0
    messages: int = 0
    sent_at: dict[tuple[str, int], int] = field(default_factory=dict)
    exports: list[Export] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)


async def _play(stack: LocalStack, out: Console, *, quiet: bool) -> Played:
    """Send the sample and read until every export that the app says it made has come back."""
    played = Played()
    hubs = await asyncio.to_thread(stack.broker.hubs)
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        ExportReader(stack.event_hubs_connection_string, hubs) as reader,
        asyncio.TaskGroup() as tasks,
    ):
        warm = asyncio.Event()
        sending = tasks.create_task(_send(stack, SAMPLES / "changes.ndjson", played, warm))
        expected: int | None = None
        while expected is None or len(played.exports) < expected:
            try:
                export = await asyncio.wait_for(anext(reader), 0.2)
            except TimeoutError:
                if sending.done() and await asyncio.to_thread(_handled, stack) == played.messages:
                    played.outcomes = await asyncio.to_thread(_outcomes, stack)
                    expected = sum(_exports_of(outcome) for outcome in played.outcomes)
                continue
            warm.set()
            played.exports.append(export)
            if not quiet:
                out.print(readable_line(export))
    return played


def _exports_of(outcome: dict[str, Any]) -> int:
    return sum(count for reasons in outcome["exported"].values() for count in reasons.values())


async def _send(stack: LocalStack, file: Path, played: Played, warm: asyncio.Event) -> None:
    """Put the changes on the queue, a few a message and at a steady rate, as an upstream system would.

    The first message goes ahead alone, until the app has started and its export is there (`warm`): the latency of
    the others is then the app's, and not that of its start.
    """
    lines = await asyncio.to_thread(file.read_bytes)
    numbered = list(enumerate(lines.splitlines(), start=1))
    batcher = Batcher(batch_bytes=MESSAGE_LIMIT, most_changes=CHANGES_IN_A_MESSAGE)
    queue = QueueClient.from_connection_string(stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False)
    async with queue:

        async def send(message: Message | None) -> None:
            if message is None:
                return
            if played.messages == 1:
                await warm.wait()
            await asyncio.sleep(1 / CHANGES_PER_SECOND * message.changes)
            now = clock()
            for _, line in numbered[message.first_line - 1 : message.last_line]:
                written = json.loads(line)
                played.sent_at.setdefault((written["profileId"], parse_instant(written["occurredAt"])), now)
            await queue.send_message(message.text)
            played.changes += message.changes
            played.messages += 1

        for number, line in numbered:
            await send(batcher.add(number, line))
        await send(batcher.flush())


def _handled(stack: LocalStack) -> int:
    """How many messages the functions host has finished with."""
    with urlopen(f"{stack.functions_host.url}/admin/host/status", timeout=5) as answer:  # noqa: S310 - our own host
        functions = json.load(answer)["functions"]
    if failed := functions["export_profile_changes"]["failed"]:
        raise LocalError(f"{failed} messages failed; {stack.functions_host.what_it_printed()}")
    return int(functions["export_profile_changes"]["succeeded"])


def _outcomes(stack: LocalStack) -> list[dict[str, Any]]:
    """What the app logged of each message it finished."""
    log = stack.functions_host.log.read_text(encoding="utf-8")
    return [json.loads(outcome) for outcome in _OUTCOME.findall(log)]


def _print_summary(out: Console, played: Played) -> None:
    latencies = sorted(_latencies(played))
    exported, skipped = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for outcome in played.outcomes:
        for destination, reasons in outcome["exported"].items():
            exported.update({(destination, reason): count for reason, count in reasons.items()})
        for destination, reasons in outcome["skipped"].items():
            skipped.update({(destination, reason): count for reason, count in reasons.items()})
    quarantined = sum(outcome["quarantined"] for outcome in played.outcomes)

    out.print("\n[bold]Summary[/bold]")
    table = Table("what", "destination", "reason", "count", box=None, header_style="dim", pad_edge=False)
    table.columns[3].justify = "right"
    table.add_row("changes in", "", "", f"{played.changes:,}")
    for what, counts in (("exported", exported), ("not exported", skipped)):
        for (destination, reason), count in sorted(counts.items()):
            table.add_row(what, "any" if destination == "*" else destination, reason, f"{count:,}")
    table.add_row("quarantined", "", "could not be understood", f"{quarantined:,}")
    out.print(table)
    p50, p95 = statistics.median(latencies), statistics.quantiles(latencies, n=20)[-1]
    out.print(
        f"\n{len(played.exports):,} exports read back from the hubs. Latency from queue to hub: "
        f"p50 {p50:,.0f} ms, p95 {p95:,.0f} ms.\n"
        "The first exports waited for the app and its connections to start."
    )


def _latencies(played: Played) -> list[float]:
    """Milliseconds from putting each change on the queue to its export's arrival in the hub."""
    return [
        (export.enqueued_time.timestamp() * 1_000_000 - played.sent_at[_cause(export)]) / 1_000
        for export in played.exports
    ]


def _cause(export: Export) -> tuple[str, int]:
    return export.properties["profileId"], parse_instant(export.properties["occurredAt"])
