"""What is known of destinations and of the app, as the rules of alerts need it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.concurrency import all_of, both
from shared.domain.alerts.key_ends import days_left
from shared.domain.alerts.rule import Facts
from shared.domain.alerts.rules import WINDOW
from shared.domain.alerts.silence import BEFORE, SILENT_FOR, may_be_silent, missing_changes
from shared.domain.backfills.backfill import BackfillState
from shared.domain.configuration.model import Destination
from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import MINUTE, SECOND
from shared.domain.runs import NO_DESTINATION, SLOT, RunSlot, slot_of, total_of
from shared.errors import StorageError
from shared.ports.backfills import BackfillStore
from shared.ports.health import DestinationTrouble, HealthStore
from shared.ports.poison import PoisonRoundsStore
from shared.ports.queues import QueueCount, QueueCounter, of_changes
from shared.ports.time import Clock
from shared.ports.undelivered import COUNTED, UndeliveredStore
from shared.services.alerts.key_expiries import KeyExpiries
from shared.services.consumers.lags import ConsumerLags
from shared.services.runs.history import RunHistory
from shared.services.runs.timers import TimerRuns

POISON_TOLD_FOR = 60 * MINUTE
"""So long after a message failed at every delivery its alert stays open; by then it may have been handled."""
_AT_ONCE = 8
_WINDOW_SLOTS = WINDOW // SLOT + 1
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """What cannot be read is unknown; the rest is judged all the same."""

    health: HealthStore
    undelivered: UndeliveredStore
    backfills: BackfillStore
    history: RunHistory
    queues: QueueCounter
    poison_rounds: PoisonRoundsStore
    timers: TimerRuns
    consumer_lags: ConsumerLags
    key_expiries: KeyExpiries
    setting_errors: int
    storage_key_end: int | None
    sign_in_failing_since: Callable[[], int | None]
    clock: Clock

    async def of(self, destinations: Sequence[Destination]) -> dict[str, Facts]:
        """The facts of each of these destinations."""
        now = self.clock()
        (troubles, running), (waited, key_ends) = await both(
            both(_known(self.health.load()), _known(self._oldest_backfills())),
            both(_known(self.consumer_lags.shares_waited()), self.key_expiries.ends(destinations)),
        )
        turns = asyncio.Semaphore(_AT_ONCE)

        async def facts_of(destination_id: str) -> Facts:
            known, key_end = key_ends[destination_id]
            async with turns:
                return Facts(
                    down_seconds=None if troubles is None else _down(troubles.get(destination_id), now),
                    dead_rows=await _known(self._dead_rows(destination_id)),
                    exports=await _known(self.history.totals(destination_id, now - WINDOW, now)),
                    backfill_seconds=None if running is None else _since(running.get(destination_id), now),
                    unread_share=None if waited is None else waited.get(destination_id, 0.0),
                    key_days_left=days_left(key_end, now) if known else None,
                )

        ids = [each.id for each in destinations]
        return dict(zip(ids, await all_of(map(facts_of, ids)), strict=True))

    async def of_the_app(self) -> Facts:
        """The facts that are about no destination."""
        now = self.clock()
        (counts, slots), (ended, states) = await both(
            both(_known(self.queues.counts()), _known(self._intake(now))),
            both(_known(self.poison_rounds.ended_since(now - POISON_TOLD_FOR)), _known(self.timers.states())),
        )
        overdue = None if states is None else {state.run.name: state.overdue_seconds for state in states}
        return Facts(
            poison_messages=_poisoned(counts, ended),
            waiting_seconds=None if counts is None else _waiting(counts, now),
            intake=None if slots is None else total_of(slots[-_WINDOW_SLOTS:]),
            missing_changes=None if slots is None else await _known(self._missing_changes(slots)),
            wrong_settings=self.setting_errors,
            overdue=overdue,
            sign_in_seconds=_since(self.sign_in_failing_since(), now),
            key_days_left=days_left(self.storage_key_end, now),
        )

    async def _intake(self, now: int) -> list[RunSlot]:
        return await self.history.read(NO_DESTINATION, slot_of(now) - SILENT_FOR, now, SLOT)

    async def _missing_changes(self, slots: Sequence[RunSlot]) -> int:
        """Earlier weeks are read only where little came lately, so that mostly it is no request."""
        lately = [slot.counts.received for slot in slots]
        if not may_be_silent(lately):
            return 0
        since = slots[0].start
        before = await all_of(
            self.history.read(NO_DESTINATION, since - ago, since + SILENT_FOR - ago, SLOT) for ago in BEFORE
        )
        return missing_changes(lately, [[slot.counts.received for slot in week] for week in before])

    async def _oldest_backfills(self) -> Mapping[str, int]:
        """When the oldest backfill that runs was started, by destination."""
        started: dict[str, int] = {}
        async for stored in self.backfills.all():
            backfill = stored.backfill
            if backfill.kind.exports_members and backfill.state == BackfillState.RUNNING:
                oldest = started.get(backfill.destination_id, backfill.started_at)
                started[backfill.destination_id] = min(oldest, backfill.started_at)
        return started

    async def _dead_rows(self, destination_id: str) -> int | None:
        """At least so many; None where there may be some behind those that were counted."""
        count = await self.undelivered.count(destination_id, COUNTED)
        dead = count.by_state.get(UndeliveredState.DEAD, 0)
        return dead if dead or count.complete else None


async def _known(finding: Awaitable[Found]) -> Found | None:
    try:
        return await finding
    except StorageError:
        return None


def _poisoned(counts: Iterable[QueueCount] | None, ended: int | None) -> int | None:
    """Those that `ended` for good included. At least so many; None where there may be some that were not counted."""
    if counts is None or ended is None:
        return None
    poison = [each for each in counts if each.poison]
    found = ended + sum(each.messages or 0 for each in poison)
    return found if found or not any(each.unknown for each in poison) else None


def _waiting(counts: Iterable[QueueCount], now: int) -> float | None:
    changes = of_changes(counts)
    return None if changes is None else _since(changes.front_inserted_at, now)


def _down(trouble: DestinationTrouble | None, now: int) -> float:
    return 0.0 if trouble is None or trouble.recovering else _since(trouble.since, now)


def _since(began: int | None, now: int) -> float:
    """At least a second since something began: clocks differ. 0 where nothing did."""
    return 0.0 if began is None else max(1.0, (now - began) / SECOND)
