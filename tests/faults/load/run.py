"""One scenario on a stack of its own: send, break, wait until nothing is left, read the hubs back, judge."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.commands.apply import apply
from local.exports import Export, read_exports
from local.stack.local_stack import LocalStack
from shared.domain.configuration.model import parse_configuration_file
from tests.faults.load.changes import GeneratedChanges, generate
from tests.faults.load.configuration import DESTINATIONS, PARTITIONS, before_mapping, configuration
from tests.faults.load.disturbances import Disturbances
from tests.faults.load.judge import judge
from tests.faults.load.messages import messages
from tests.faults.load.model import Model
from tests.faults.load.outage_writes import OutageWrites
from tests.faults.load.progress import Progress
from tests.faults.load.report import Outcome, Result, duplicates_by_cause
from tests.faults.load.scenarios import Scenario
from tests.faults.load.storage import POISON_QUEUES, Storage
from tests.kit import running_host

# Two hosts, and as in Azure a timer runs on one of them: the other's comes once a year.
NEVER = "0 0 0 1 1 *"
TIMERS = ("*/2 * * * * *", NEVER)
# Where hosts die, what they had in hand is to come soon. Elsewhere, on a machine that is too slow for a short lease,
# messages would come twice for nothing.
LEASE_SECONDS, LONG_LEASE_SECONDS = 3, 60
# What takes minutes in Azure takes seconds here.
HOST_SETTINGS = {
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.200",
    "RETRY_DELAYS": "1,2",
    "CONFIG_CACHE_SECONDS": "3",
    "REDRIVE_PER_SECOND": "1000",
}
_CHANGES_SHUFFLED_TOGETHER = 500
_WARM_UP_MESSAGES = 8
_CLOSING_BEGINS = 0.8
_QUIET_SECONDS = 2.0
_POLL_SECONDS = 0.25
_REPORT_SECONDS = 5.0
_READ_SECONDS = 120.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """`kills`: how often hosts die, where they do. `deadline`: seconds for the sending and all that follows from it."""

    changes: int
    profiles: int
    kills: int
    deadline: float


FULL_SIZE = Size(changes=20_000, profiles=2_000, kills=6, deadline=900.0)
SHORT_SIZE = Size(changes=400, profiles=40, kills=3, deadline=60.0)


async def run(scenario: Scenario, size: Size, seed: int, directory: Path, report: Report) -> Outcome:
    """Play `scenario` on a new stack, whose logs are kept in `directory`."""
    start = datetime.now(UTC) - timedelta(hours=1)
    generated = generate(seed, changes=size.changes, profiles=size.profiles, start=start)
    hubs = {name: PARTITIONS for name in DESTINATIONS if name not in scenario.without_hub}
    with LocalStack(directory, hubs=hubs, storage_faults=scenario.behind_proxy) as stack:
        document = before_mapping(paused=False) if scenario.mapped_late else configuration()
        await apply(stack.storage_connection_string, parse_configuration_file(document))
        for timer in TIMERS:
            settings = HOST_SETTINGS | {
                "WATCH_SCHEDULE": timer,
                "ALERT_SCHEDULE": NEVER,  # what an outage costs is counted without what alerts write
                # Without late mappings all that is exported is what changes call for.
                "BACKFILL_SCHEDULE": timer if scenario.mapped_late else NEVER,
                # So that hosts have the time to die ten times meanwhile.
                "BACKFILL_PER_SECOND": str(max(1, size.profiles // 40)),
            }
            lease = LEASE_SECONDS if scenario.kills else LONG_LEASE_SECONDS
            await asyncio.to_thread(
                stack.start_functions_host, kind=running_host.KIND, settings=settings, lease_seconds=lease
            )
        async with Storage(stack.azurite.connection_string) as storage:
            rng = random.Random(seed)
            writes = OutageWrites(storage, stack.storage_faults if scenario.counts_writes else None)
            disturbances = Disturbances(stack, Progress(), rng, size.kills, writes)
            return await _Run(scenario, disturbances, storage, generated, rng, report).outcome(size.deadline)


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        disturbances: Disturbances,
        storage: Storage,
        generated: GeneratedChanges,
        rng: random.Random,
        report: Report,
    ) -> None:
        self._scenario = scenario
        self._stack = disturbances.stack
        self._disturbances = disturbances
        self._progress = disturbances.progress
        self._writes = disturbances.writes
        self._storage = storage
        self._generated = generated
        self._rng = rng
        self._report = report
        self._began = time.monotonic()

    async def outcome(self, deadline: float) -> Outcome:
        reporting = asyncio.create_task(self._report_progress())
        failures = []
        seconds_to_drain = deadline
        try:
            # The outage of a dead destination lasts from the first change until nothing else is left.
            async with asyncio.timeout(deadline), self._writes.counted() if self._scenario.dead else nullcontext():
                await self._send_and_break()
                sent = time.monotonic()
                seconds_to_drain = await self._drained() - sent
        except TimeoutError:
            failures.append(f"not drained within {deadline:g} s: {await self._left()}; read {self._stack.directory}")
        finally:
            reporting.cancel()
        for host in self._stack.functions_hosts:
            await asyncio.to_thread(host.stop)
        self._disturbances.end()
        return await self._judged(seconds_to_drain, failures)

    async def _send_and_break(self) -> None:
        for destination in self._scenario.refused:
            self._disturbances.refuse(destination)
        load = messages(self._generated.load, self._rng, window=_CHANGES_SHUFFLED_TOGETHER)
        closing = messages(self._generated.closing, self._rng, window=_CHANGES_SHUFFLED_TOGETHER, most_in_one=5)
        # What breaks shall meet hosts at work, not hosts that load the app.
        await self._storage.send(load[:_WARM_UP_MESSAGES], self._progress, begin=0.0, end=0.0)
        await self._storage.at_most_waiting(0)
        async with asyncio.TaskGroup() as tasks:
            for breaking in self._scenario.breaking:
                tasks.create_task(breaking(self._disturbances))
            await self._storage.send(load[_WARM_UP_MESSAGES:], self._progress, begin=0.0, end=_CLOSING_BEGINS)
            await self._storage.at_most_waiting(0)
            await self._storage.send(closing, self._progress, begin=_CLOSING_BEGINS, end=1.0)

    async def _drained(self) -> float:
        """Wait until nothing was left for a while; when that began."""
        quiet_since = None
        while quiet_since is None or time.monotonic() - quiet_since < _QUIET_SECONDS:
            await asyncio.sleep(_POLL_SECONDS)
            if await self._storage.waiting() or await self._undelivered() or await self._backfills():
                quiet_since = None
            else:
                quiet_since = quiet_since or time.monotonic()
        return quiet_since

    async def _undelivered(self) -> int:
        """Of the living destinations."""
        return sum(destination not in self._scenario.dead for destination, _ in await self._storage.undelivered())

    async def _backfills(self) -> int:
        return await self._storage.unfinished_backfills() if self._scenario.mapped_late else 0

    async def _left(self) -> str:
        left = f"{await self._storage.waiting():,} messages queued, {await self._undelivered():,} exports undelivered"
        return left + (f", {backfills} backfills unfinished" if (backfills := await self._backfills()) else "")

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_SECONDS)
            stored = sum(hub.events for hub in (await asyncio.to_thread(self._stack.broker.stats)).hubs.values())
            self._report(
                f"{self._scenario.name}, {time.monotonic() - self._began:.0f} s: {self._progress.share:.0%} sent, "
                f"{await self._left()}, {stored:,} exports in the hubs, {len(self._disturbances.seen)} faults so far"
            )

    async def _judged(self, seconds_to_drain: float, failures: list[str]) -> Outcome:
        model = Model(configuration(), self._generated.all)
        hubs = self._stack.broker.stats().hubs
        exports = await self._exports(sum(hub.events for hub in hubs.values()))
        verdict = judge(
            model,
            exports,
            dead=self._scenario.dead,
            disturbances=self._disturbances.seen,
            sent_at=self._storage.sent_at,
        )
        failures += [f"lost: {each}" for each in verdict.lost]
        failures += [f"unexpected: {each}" for each in verdict.unexpected]
        failures += [f"its last event is not the greatest version: {each}" for each in verdict.out_of_order]
        failures += verdict.problems + self._disturbances.missed
        failures += await self._leftovers(model)
        cost = self._writes.cost
        if cost is None and self._scenario.counts_writes:
            failures.append("what the outage costs was not counted")
        failures += [f"{pair}: more than one row in Undelivered" for pair in cost.more_than_one_row] if cost else []
        most = self._scenario.most_rows
        if cost and most is not None and cost.undelivered_per_change > most:
            failures.append(
                f"{cost.undelivered_per_change:.3f} writes to Undelivered a change, at most {most:g} expected"
            )
        result = Result(
            scenario=self._scenario.name,
            attempts=sum(hub.events + hub.rejected for hub in hubs.values()),
            acknowledged=len(exports),
            lost=len(verdict.lost),
            unexpected=len(verdict.unexpected),
            duplicated=verdict.duplicated,
            recovered=verdict.recovered,
            duplicates_per_10000=round(10_000 * verdict.duplicated / max(1, len(exports)), 1),
            seconds_to_drain=round(seconds_to_drain, 1),
            pairs=verdict.pairs,
            last_not_greatest=len(verdict.out_of_order),
            undelivered_writes_per_change=round(cost.undelivered_per_change, 3) if cost else None,
            table_writes_per_change=round(cost.all_tables_per_change, 3) if cost else None,
        )
        notes = [str(cost)] if cost else []
        return Outcome(result, failures, notes + duplicates_by_cause(verdict.causes, len(exports)))

    async def _exports(self, count: int) -> list[Export]:
        if not count:
            return []
        living = [name for name in DESTINATIONS if name not in self._scenario.dead]
        reading = read_exports(self._stack.event_hubs_connection_string, living, count=count, timeout=_READ_SECONDS)
        return [export async for export in reading]

    async def _leftovers(self, model: Model) -> list[str]:
        """What should not be there, or should be and is not, besides the hubs."""
        failures = [
            f"in quarantine, although every change is valid: {why}" for why in await self._storage.quarantined()
        ]
        if poisoned := await self._storage.waiting(POISON_QUEUES):
            failures.append(f"{poisoned:,} messages are on poison queues")
        undelivered = await self._storage.undelivered()
        failures += [
            f"{pair}: its destination is dead, and it is not among the undelivered"
            for pair in model.expected()
            if pair[0] in self._scenario.dead and pair not in undelivered
        ]
        failures += [f"{part.name} died; {part.what_it_printed()}" for part in self._stack.dead_parts]
        return failures
