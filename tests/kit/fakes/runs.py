"""What was counted, in memory."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count

from shared.domain.alerts.alert import Alert
from shared.domain.audiences.counts import CountedAudiences
from shared.domain.exports.sent_export import SentExport
from shared.domain.instants import DAY
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import RunCounts, RunSlot
from shared.domain.timers import TimerRun
from shared.errors import (
    ConflictError,
)
from shared.ports.last_exports import InstanceExports


class MemoryTimers:
    def __init__(self) -> None:
        self.runs: dict[str, TimerRun] = {}
        self.loads = 0
        self._etags = count(1)

    async def load(self) -> dict[str, TimerRun]:
        await asyncio.sleep(0)
        self.loads += 1
        return dict(self.runs)

    async def put(self, run: TimerRun) -> None:
        await asyncio.sleep(0)
        self.runs[run.name] = replace(run, etag=f"etag-{next(self._etags)}")

    async def save(self, run: TimerRun) -> None:
        await asyncio.sleep(0)
        found = self.runs.get(run.name)
        if run.etag != (found.etag if found else None):
            raise ConflictError("somebody else saved the row first")
        await self.put(run)


class MemoryRuns:
    """Fails as `failure` says, if there is one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, str], str] = {}
        self.failure: Exception | None = None

    async def put(self, destination_id: str, slot: RunSlot, instance: str) -> None:
        document = json.dumps(slot.counts.to_document())
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.rows[destination_id, slot.start, instance] = document

    async def read(self, destination_id: str, since: int, until: int) -> list[RunSlot]:
        await asyncio.sleep(0)
        return [
            RunSlot(start, RunCounts.from_document(json.loads(document)))
            for (owner, start, _), document in self.rows.items()
            if owner == destination_id and since <= start < until
        ]

    async def forget(self, before: int) -> int:
        await asyncio.sleep(0)
        outdated = [key for key in self.rows if key[1] < before - before % DAY]
        for key in outdated:
            del self.rows[key]
        return len(outdated)


class MemoryAudienceCounts:
    def __init__(self) -> None:
        self.rows: dict[int, CountedAudiences] = {}

    async def put(self, counted: CountedAudiences) -> None:
        await asyncio.sleep(0)
        self.rows[counted.at] = deepcopy(counted)

    async def since(self, at: int) -> list[CountedAudiences]:
        await asyncio.sleep(0)
        return [deepcopy(self.rows[each]) for each in sorted(self.rows) if each >= at]

    async def forget(self, before: int) -> None:
        await asyncio.sleep(0)
        self.rows = {at: counted for at, counted in self.rows.items() if at >= before}


class MemoryLastExports:
    """Fails as `failure` says, if there is one."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], InstanceExports] = {}
        self.puts = 0
        self.failure: Exception | None = None
        self._etags = count(1)

    async def put(self, destination_id: str, instance: str, exports: Sequence[SentExport]) -> None:
        await self._answer()
        self.puts += 1
        self._save(InstanceExports(destination_id, instance, list(exports), ""))

    async def of(self, destination_id: str) -> list[InstanceExports]:
        await self._answer()
        return [replace(row) for row in self.rows.values() if row.destination_id == destination_id]

    async def with_profile(self, profile_key: str) -> list[InstanceExports]:
        await self._answer()
        return self._having(lambda sent: sent.profile_key == profile_key)

    async def with_older(self, before: int) -> list[InstanceExports]:
        await self._answer()
        return self._having(lambda sent: sent.at < before)

    async def replace(self, row: InstanceExports) -> None:
        await self._answer()
        current = self.rows.get((row.destination_id, row.instance))
        if row.exports or current is not None:
            if current is None or current.etag != row.etag:
                raise ConflictError("somebody else saved the row first")
            self._save(row)

    def _save(self, row: InstanceExports) -> None:
        key = row.destination_id, row.instance
        if row.exports:
            self.rows[key] = replace(row, etag=f"etag-{next(self._etags)}")
        else:
            del self.rows[key]

    def _having(self, wanted: Callable[[SentExport], bool]) -> list[InstanceExports]:
        return [replace(row) for row in self.rows.values() if any(map(wanted, row.exports))]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


class MemoryMetrics:
    """`alerts` are those of the last time: destination, rule, and whether it is open."""

    def __init__(self) -> None:
        self.published: list[tuple[str, RunCounts]] = []
        self.alerts: list[tuple[str, str, bool]] = []
        self.crossings: Counter[tuple[AudienceKey, bool]] = Counter()
        self.members: dict[AudienceKey, int] = {}
        self.lags: dict[str, Mapping[str, tuple[int, float | None]]] = {}

    def publish_consumer_lags(self, destination_id: str, lags: Mapping[str, tuple[int, float | None]]) -> None:
        self.lags[destination_id] = lags

    def publish_crossings(self, crossings: Mapping[tuple[AudienceKey, bool], int]) -> None:
        self.crossings.update(crossings)

    def publish_members(self, members: Mapping[AudienceKey, int]) -> None:
        self.members = dict(members)

    def publish(self, destination_id: str, counts: RunCounts) -> None:
        self.published.append((destination_id, counts))

    def publish_alerts(self, alerts: Iterable[Alert]) -> None:
        self.alerts = [(alert.destination_id, alert.rule, not alert.resolved_at) for alert in alerts]
