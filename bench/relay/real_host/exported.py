"""What came out of hosts that were ended."""

from collections import defaultdict

from bench.harness.live_load import ATTRIBUTE
from bench.relay import app
from local.exports import read_exports
from local.stack.local_stack import LocalStack

_READ_WITHIN = 300.0


async def exports_by_number(stack: LocalStack) -> dict[int, list[float]]:
    """When each change of a LiveLoad was exported, by its number, as the hub says. Raises RuntimeError."""
    events = stack.broker.stats().hubs[app.HUB].events
    exports: defaultdict[int, list[float]] = defaultdict(list)
    reading = read_exports(stack.event_hubs_connection_string, [app.HUB], count=events, timeout=_READ_WITHIN)
    async for export in reading:
        exports[export.body[ATTRIBUTE]].append(export.enqueued_time.timestamp())
    if (read := sum(map(len, exports.values()))) != events:
        raise RuntimeError(f"only {read:,} of {events:,} events were read back within {_READ_WITHIN:g} s")
    return exports
