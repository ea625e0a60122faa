"""How long live changes took: from the times at which they were sent and those of their events in a hub."""

from bench.harness.live_load import ATTRIBUTE
from local.exports import read_exports
from local.stack.local_stack import LocalStack

_READ_WITHIN = 180.0


async def read_latencies(stack: LocalStack, hub: str, sent_at: dict[int, float]) -> dict[int, float]:
    """Seconds by the number of the change; a second event of one counts for nothing. Deletes the hub."""
    events = stack.broker.stats().hubs[hub].events
    reading = read_exports(stack.event_hubs_connection_string, [hub], count=events, timeout=_READ_WITHIN)
    read = [export async for export in reading]
    if len(read) != events:
        raise RuntimeError(f"only {len(read):,} of {events:,} events were read back within {_READ_WITHIN:g} s")
    stack.broker.delete_hub(hub)
    latencies: dict[int, float] = {}
    for export in read:
        number = export.body[ATTRIBUTE]
        if "attribute" in export.properties["reason"].split(",") and number in sent_at:
            latency = export.enqueued_time.timestamp() - sent_at[number]
            latencies[number] = min(latency, latencies.get(number, latency))
    return latencies
