"""What the parts of the demo share: the stack, the app's own view of it, and how many exports must have come back."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.status import Status

from local.commands.demo.changes import Changes
from local.commands.demo.exports import Arrived
from local.commands.output.backfill_rows import state_of
from local.errors import LocalError
from local.exports import Export
from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from shared.bootstrap import Relay
from shared.domain.exports.decision import BACKFILL
from shared.services.backfills.status import BackfillStatus

CONFIGURATION = PROJECT / "samples" / "config.json"
SAMPLE = PROJECT / "samples" / "changes.ndjson"
A_DOZEN = 12
_DEADLINE_SECONDS = 120.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Scene:
    stack: LocalStack
    out: Console
    relay: Relay
    changes: Changes
    arrived: Arrived

    def title(self, what: str, rest: str = "") -> None:
        self.out.print(f"\n[bold]{what}[/bold]{rest and ' '}{rest}")

    async def backfills(self) -> list[BackfillStatus]:
        return await self.relay.services.backfill_statuses.all()

    async def exported(self) -> Counter[tuple[str, str]]:
        """What the app says it exported so far, by destination and reason: for messages, and by backfills."""
        return _exported(await asyncio.to_thread(self.changes.outcomes), await self.backfills())

    async def read_exports(self, is_over: Callable[[], bool], *, shown: int = A_DOZEN) -> list[Export]:
        """Show what arrives (the first `shown` of it) until `is_over`, every message is handled, every
        backfill that has begun has ended, nothing waits as undelivered, and every export that the app says it made has
        come back; what arrived.

        Raises LocalError when that takes too long.
        """
        since = len(self.arrived.exports)
        status = Status("", console=self.out)
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while True:
                    await self.arrived.read_for(_LOOK_SECONDS, since, shown)
                    if is_over() and await self._everything_came_back(status):
                        break
        except TimeoutError as error:
            raise LocalError(
                f"after {_DEADLINE_SECONDS:.0f} s {len(self.arrived.exports):,} exports had come back of "
                f"{(await self.exported()).total():,} that the app says it made, "
                f"and messages had failed {self.changes.invocations().failed:,} times; "
                f"{self.stack.functions_host.what_it_printed()}"
            ) from error
        finally:
            status.stop()
        self.arrived.tell_rest(since, shown)
        return self.arrived.exports[since:]

    async def _everything_came_back(self, status: Status) -> bool:
        if (await asyncio.to_thread(self.changes.invocations)).succeeded < self.changes.messages:
            return False
        outcomes = await asyncio.to_thread(self.changes.outcomes)
        if len(outcomes) < self.changes.messages:
            return False  # the host's log is copied line by line, and may be a moment behind
        backfills = await self.backfills()
        if running := [each for each in backfills if not each.backfill.finished]:
            status.update(", ".join(f"{each.backfill.id} {state_of(each)}" for each in running))
            if self.out.is_terminal:
                status.start()
            return False
        if await self._undelivered():
            return False
        return len(self.arrived.exports) >= _exported(outcomes, backfills).total()

    async def _undelivered(self) -> bool:
        """Whether an export waits to be tried again, as on a machine that is slow to connect."""
        configuration = (await self.relay.configuration.load()).configuration
        for dataflow in configuration.dataflows:
            async for _ in self.relay.undelivered.of(dataflow.id):
                return True
        return False


def _exported(outcomes: Iterable[Mapping[str, Any]], backfills: Iterable[BackfillStatus]) -> Counter[tuple[str, str]]:
    exported = Counter[tuple[str, str]]()
    for outcome in outcomes:
        for destination, reasons in outcome["exported"].items():
            exported.update({(destination, reason): count for reason, count in reasons.items()})
    for each in backfills:
        exported[each.backfill.destination_id, BACKFILL] += each.progress.exported
    return +exported
