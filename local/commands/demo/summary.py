"""The end of the demo: what came of it all, in numbers."""

import statistics
from collections import Counter

from rich.table import Table

from local.commands.demo.scene import Scene
from local.exports import Export
from shared.domain.exports.decision import BACKFILL
from shared.domain.instants import MILLISECOND, SECOND, parse_instant


async def print_summary(scene: Scene) -> None:
    exported, skipped, quarantined = await scene.exported(), Counter[tuple[str, str]](), 0
    for outcome in scene.changes.outcomes():
        quarantined += outcome["quarantined"]
        for destination, reasons in outcome["skipped"].items():
            skipped.update({(destination, reason): count for reason, count in reasons.items()})

    scene.title("Summary")
    table = Table("what", "destination", "reason", "count", box=None, header_style="dim", pad_edge=False)
    table.columns[3].justify = "right"
    table.add_row("changes in", "", "", f"{scene.changes.sent:,}")
    for what, counts in (("exported", exported), ("not exported", skipped)):
        for (destination, reason), count in sorted(counts.items()):
            table.add_row(what, "any" if destination == "*" else destination, reason, f"{count:,}")
    table.add_row("quarantined", "", "could not be understood", f"{quarantined:,}")
    scene.out.print(table)
    latencies = [_latency(scene, each) for each in scene.arrived.exports if each.properties["reason"] != BACKFILL]
    p50, p95 = statistics.median(latencies), statistics.quantiles(latencies, n=20)[-1]
    scene.out.print(
        f"\n{len(scene.arrived.exports):,} exports read back from the hubs, backfilled ones included. Latency of the "
        f"others from queue to hub: p50 {p50:,.0f} ms, p95 {p95:,.0f} ms.\n"
        "The first ones waited for connections, and for the host to look again at a queue that had been empty."
    )


def _latency(scene: Scene, export: Export) -> float:
    """Milliseconds from putting the change on the queue to its export's arrival in the hub."""
    cause = export.properties["profileId"], parse_instant(export.properties["occurredAt"])
    return (export.enqueued_time.timestamp() * SECOND - scene.changes.sent_at[cause]) / MILLISECOND
