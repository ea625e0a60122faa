"""One run of the load on a stack of its own, and what came of it."""

import asyncio
import os
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from azure.storage.queue.aio import QueueClient
from pydantic.alias_generators import to_camel

from local.commands.apply import apply
from local.exports import read_exports
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.domain.configuration.model import parse_configuration_file
from tests.faults.isolation.run import undelivered_exports
from tests.faults.load.storage import POISON_QUEUES, Storage
from tests.faults.wide.load import Size, configuration, expected, hubs, messages

_NEVER = "0 0 0 1 1 *"
_CHANGES_ALONE = {"BACKFILL_SCHEDULE": _NEVER, "ALERT_SCHEDULE": _NEVER}
_PARTITIONS = 2
_SENDERS = 8
_POLL_SECONDS = 0.5
_READ_SECONDS = 300.0
_FAILED = "Function export_profile_changes failed"


@dataclass(frozen=True, kw_only=True)
class Result:
    """`seconds`: from the first message being put until none was left, or the deadline.

    `undelivered`: exports that were stored instead of sent, by the state of their rows; `unheard`: exports that are
    expected, and neither in their hub nor stored by then. `load_average`: of the machine, before.
    """

    destinations: int
    changes: int
    messages_left: int
    failures: int
    poison: int
    quarantined: int
    undelivered: dict[str, int]
    rows_left: int
    expected: int
    unheard: int
    unexpected: int
    delivered: int
    duplicates: int
    seconds: float
    load_average: float

    @property
    def exports_a_second(self) -> float:
        return self.delivered / self.seconds

    @property
    def wrong(self) -> dict[str, int]:
        """What must be nothing, where it is something."""
        found = {
            "messages left": self.messages_left,
            "failures": self.failures,
            "poison": self.poison,
            "quarantined": self.quarantined,
            "stored instead of sent": sum(self.undelivered.values()),
            "rows left": self.rows_left,
            "unheard": self.unheard,
            "unexpected": self.unexpected,
        }
        return {what: count for what, count in found.items() if count}

    def to_json(self) -> dict[str, Any]:
        figures = {to_camel(name): value for name, value in asdict(self).items()}
        return figures | {"seconds": round(self.seconds, 1), "exportsPerSecond": round(self.exports_a_second, 1)}


async def run(directory: Path, size: Size) -> Result:
    """The app with its own default settings but for backfills and alerts, and the short lifetime of the stack's
    configuration; all messages are put as fast as the queue takes them.
    """
    load_average = os.getloadavg()[0]
    with LocalStack(directory, hubs=dict.fromkeys(hubs(size), _PARTITIONS)) as stack:
        connection_string = stack.storage_connection_string
        await apply(connection_string, parse_configuration_file(configuration(size)))
        await asyncio.to_thread(stack.start_functions_host, settings=_CHANGES_ALONE)
        async with Storage(connection_string) as storage:
            began = time.monotonic()
            await _send(connection_string, size)
            left = await _drained(storage, began + size.deadline)
            seconds = time.monotonic() - began
            rows, poison = await storage.undelivered(), await storage.waiting(POISON_QUEUES)
            quarantined = len(await storage.quarantined())
            await asyncio.to_thread(stack.functions_host.stop)
        told = await _told(stack)
        log = stack.functions_host.log
        states: Counter[str] = Counter()
        for what, count in undelivered_exports(log).items():
            states[what.rpartition(" ")[2]] += count
        wanted = expected(size)
        return Result(
            destinations=size.destinations,
            changes=size.changes,
            messages_left=left,
            failures=log.read_text(encoding="utf-8").count(_FAILED),
            poison=poison,
            quarantined=quarantined,
            undelivered=dict(states),
            rows_left=len(rows),
            expected=len(wanted),
            unheard=len(wanted - told.keys() - rows.keys()),
            unexpected=len(told.keys() - wanted),
            delivered=len(told),
            duplicates=told.total() - len(told),
            seconds=seconds,
            load_average=load_average,
        )


async def _send(connection_string: str, size: Size) -> None:
    waiting = messages(size, int(time.time() * 1_000_000))
    async with QueueClient.from_connection_string(connection_string, CHANGES_QUEUE, use_env_settings=False) as queue:

        async def send_in_turn() -> None:
            for message in waiting:
                await queue.send_message(message)

        await asyncio.gather(*(send_in_turn() for _ in range(_SENDERS)))


async def _drained(storage: Storage, deadline: float) -> int:
    """How many messages are left in the end, none as a rule."""
    while left := await storage.waiting([CHANGES_QUEUE]):
        if time.monotonic() > deadline:
            return left
        await asyncio.sleep(_POLL_SECONDS)
    return 0


async def _told(stack: LocalStack) -> Counter[tuple[str, str]]:
    """How often each hub heard of each profile."""
    stats = {name: hub for name, hub in stack.broker.stats().hubs.items() if hub.events}
    count = sum(hub.events for hub in stats.values())
    reading = read_exports(stack.event_hubs_connection_string, tuple(stats), count=count, timeout=_READ_SECONDS)
    return Counter([(export.hub, export.properties["profileId"]) async for export in reading])
