"""Looks after destinations that were down and after exports that wait: whatever a run leaves, the next one finds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from shared.concurrency import all_of
from shared.domain.exports.redrive_pace import RedrivePace
from shared.domain.exports.undelivered import UndeliveredState, retry_overdue
from shared.domain.instants import MINUTE, SECOND, within
from shared.errors import ConflictError, ExportTooLargeError, NotUndeliveredError, SendError, StorageError
from shared.ports.health import DestinationTrouble, HealthStore, RedriveRequest
from shared.ports.time import Clock, Sleep
from shared.ports.undelivered import StoredUndelivered, UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.attempts import Attempt, failed_attempt
from shared.services.delivery.note_recovery import NoteRecovery
from shared.services.delivery.retry import RetryExport
from shared.services.in_hand.live_traffic import LiveTraffic

OVERDUE_PATIENCE = 120.0
DEAD_LEFT_ALONE = MINUTE
FAILURES_TO_STOP_AT = 3
PROBED_PARTITIONS = 4
"""For so many partitions of a destination that is down a run looks whether one of them answers."""
CLOCK_SKEW = 5 * SECOND
"""How far the clocks of workers may be apart."""
_SETTLED = frozenset({Attempt.SENT, Attempt.DROPPED})


@dataclass(slots=True)
class WatchOutcome:
    """What one run did, counted by (destination id, what); `failed` are the destinations for which storage failed.

    `notes`: by destination id, how far its redrive is.
    """

    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: dict[str, StorageError] = field(default_factory=dict)
    notes: dict[str, NoteRecovery] = field(default_factory=dict)

    def summary(self) -> dict[str, dict[str, int]]:
        """As plain JSON, for the log."""
        by_destination: dict[str, dict[str, int]] = {}
        for (destination_id, what), count in self.done.items():
            by_destination.setdefault(destination_id, {})[what] = count
        return by_destination


class WatchDestinations:
    """`redrive_per_second` is the highest pace for each destination; a run works for at most `budget` seconds.

    A destination that answers again is `recovering` for `grace` seconds: by then every worker knows, and nobody
    counts on a parked row to be there still.
    """

    def __init__(
        self,
        *,
        configuration: ConfigurationCache,
        undelivered: UndeliveredStore,
        health: HealthStore,
        retry: RetryExport,
        traffic: LiveTraffic,
        clock: Clock,
        sleep: Sleep,
        retry_delays: Sequence[float],
        redrive_per_second: float,
        grace: float,
        budget: float = 55.0,
    ) -> None:
        self._configuration = configuration
        self._undelivered = undelivered
        self._health = health
        self._retry = retry
        self._traffic = traffic
        self._clock = clock
        self._sleep = sleep
        self._retry_delays = retry_delays
        self._redrive_per_second = redrive_per_second
        self._grace = int(grace * SECOND)
        self._budget = int(budget * SECOND)

    async def run(self) -> WatchOutcome:
        """Look after every destination, side by side; where storage fails for one, after the others all the same.

        Raises StorageError where it is not known what there is to look after.
        """
        outcome = WatchOutcome()
        snapshot = await self._configuration.current()
        troubles, requests = await self._health.load(), await self._health.requests()
        destination_ids = sorted(snapshot.targets.by_id.keys() | troubles.keys() | requests.keys())
        await self._begin_notes(outcome, destination_ids)

        async def look_after(destination_id: str) -> None:
            trouble, request = troubles.get(destination_id), requests.get(destination_id)
            try:
                await self._look_after(destination_id, trouble, snapshot, outcome, request)
            except StorageError as error:
                outcome.failed[destination_id] = error
            await outcome.notes[destination_id].note()

        await all_of(look_after(each) for each in destination_ids)
        return outcome

    async def redrive(self, destination_id: str) -> WatchOutcome:
        """What a person asks for: try now whatever waits for the destination, dead rows of all kinds included."""
        outcome = WatchOutcome()
        snapshot = await self._configuration.current()
        trouble = (await self._health.load()).get(destination_id)
        asked = RedriveRequest(destination_id, self._clock())
        await self._begin_notes(outcome, [destination_id])
        await self._look_after(destination_id, trouble, snapshot, outcome, asked)
        await outcome.notes[destination_id].note()
        return outcome

    async def _begin_notes(self, outcome: WatchOutcome, destination_ids: Iterable[str]) -> None:
        earlier = await self._health.recoveries()
        for each in destination_ids:
            outcome.notes[each] = NoteRecovery(self._health, self._clock, each, earlier.get(each))

    async def request_redrive(self, destination_id: str) -> RedriveRequest:
        """Let the next runs do the same, until it is done: it may take longer than an HTTP request may last.

        What is paused waits until it is resumed, what is down until it answers. Raises StorageError.
        """
        asked = RedriveRequest(destination_id, self._clock())
        await self._health.request(asked)
        return asked

    async def redrive_one(self, destination_id: str, profile_key: str) -> Attempt:
        """Try one row now, whatever its state. Raises NotUndeliveredError, StorageError.

        A row that workers may count on is sent and left where it is, as the probe leaves it: while its destination is
        down or recovering, and where it was parked just now.
        """
        snapshot = await self._configuration.current()
        trouble = (await self._health.load()).get(destination_id)
        began = self._clock()
        stored = await self._undelivered.load(destination_id, profile_key)
        if stored is None:
            raise NotUndeliveredError
        target = snapshot.targets.by_id.get(destination_id)
        paused = target is not None and not target.dataflow.enabled
        if paused or not (self._unsettled(trouble) or _parked_since(stored, began)):
            return await self._retry.attempt(stored, snapshot)
        error = None
        try:
            if not await self._retry.probe(stored, snapshot):
                return Attempt.DROPPED
        except SendError as failure:
            error = failure
        if trouble is not None and not trouble.recovering:
            await self._note(trouble, error)
        return Attempt.KEPT if error is None else failed_attempt(error)

    def _unsettled(self, trouble: DestinationTrouble | None) -> bool:
        """Whether a worker may still take the destination for down."""
        return trouble is not None and (not trouble.recovering or within(self._clock() - trouble.since, self._grace))

    async def _look_after(
        self,
        destination_id: str,
        trouble: DestinationTrouble | None,
        snapshot: ConfigurationSnapshot,
        outcome: WatchOutcome,
        request: RedriveRequest | None,
    ) -> None:
        target = snapshot.targets.by_id.get(destination_id)
        if target is not None and not target.dataflow.enabled:
            return
        if trouble is not None and not trouble.recovering:
            await self._probe(trouble, snapshot, outcome)
        elif self._unsettled(trouble):
            outcome.done[destination_id, "recovering"] += 1
        elif await self._redrive(destination_id, snapshot, outcome, request):
            await outcome.notes[destination_id].end()
            if trouble is not None:
                with suppress(ConflictError):  # it went down again meanwhile
                    await self._health.clear(trouble)
                    outcome.done[destination_id, "healthy" if target is not None else "removed"] += 1
            if request is not None and request.etag is not None:
                with suppress(ConflictError):  # asked for again meanwhile
                    await self._health.fulfil(request)
                    outcome.done[destination_id, "redriven as requested"] += 1

    async def _probe(self, trouble: DestinationTrouble, snapshot: ConfigurationSnapshot, outcome: WatchOutcome) -> None:
        """Send one export that waits, never a made-up event; if there is none, the next changes are the probe."""
        try:
            sent = await self._send_one(trouble.destination_id, snapshot)
            what = await (self._note(trouble, None) if sent else self._half_open(trouble))
        except SendError as error:
            what = await self._note(trouble, error)
        if what is not None:
            outcome.done[trouble.destination_id, what] += 1

    async def _send_one(self, destination_id: str, snapshot: ConfigurationSnapshot) -> bool:
        """Send the first export that may get through; False where none waits. Raises SendError, StorageError.

        One partition that fails says nothing of the others: then the first export for another one is tried.
        """
        until = self._clock() + self._budget
        failed: dict[str | None, SendError] = {}
        async for stored in self._undelivered.of(destination_id):
            if not stored.row.permanent and self._retry.partition_of(stored.row, snapshot) not in failed:
                try:
                    if await self._retry.probe(stored, snapshot):
                        return True
                except ExportTooLargeError:
                    raise
                except SendError as error:
                    failed[error.partition] = error
                    partitions = self._retry.partitions_of(destination_id, snapshot)
                    if error.partition is None or len(failed) >= min(PROBED_PARTITIONS, partitions):
                        raise
            if self._clock() >= until:
                break
        if failed:
            raise next(iter(failed.values()))
        return False

    async def _note(self, trouble: DestinationTrouble, error: SendError | None) -> str | None:
        """Say in the health row what a probe found; None where somebody has later news: the next run looks again."""
        if error is None or isinstance(error, ExportTooLargeError):  # whoever refuses one is there, and answers
            return await self._say(trouble, "answers again", recovering=True, since=self._clock(), half_open_since=0)
        return await self._say(trouble, "still down", error=error.reason, code=error.code, half_open_since=0)

    async def _half_open(self, trouble: DestinationTrouble) -> str | None:
        """Let changes through though nobody answered: there would be nothing to send in the next run, either.

        It stays down, for a change that fails leaves a row to probe with. The grace without one ends it.
        """
        now = self._clock()
        if not trouble.half_open_since:
            return await self._say(trouble, "half-open", half_open_since=now)
        if within(now - trouble.half_open_since, self._grace):
            return "half-open"
        return await self._say(trouble, "nothing fails", recovering=True, since=now, half_open_since=0)

    async def _say(self, trouble: DestinationTrouble, what: str, **changed: Any) -> str | None:
        with suppress(ConflictError):
            await self._health.replace(replace(trouble, **changed))
            return what
        return None

    async def _redrive(
        self,
        destination_id: str,
        snapshot: ConfigurationSnapshot,
        outcome: WatchOutcome,
        request: RedriveRequest | None,
    ) -> bool:
        """Try what waits, at the pace; whether all of it was tried.

        What was parked since the health rows were read is left for the next run: whoever parked it may know of an
        outage that began after that, and count on the row to be there. Of a destination that is removed every row is
        tried, which drops it: nothing else ever would. A partition that fails too often is left for the next run, too.
        """
        removed = destination_id not in snapshot.targets.by_id
        began = self._clock()
        until = began + self._budget
        failures: Counter[str | None] = Counter()
        left = False
        pace = RedrivePace(self._redrive_per_second)
        together: list[tuple[str | None, StoredUndelivered]] = []
        async for stored in self._undelivered.of(destination_id):
            now = self._clock()
            partition = None if removed else self._retry.partition_of(stored.row, snapshot)
            if not removed and retry_overdue(stored.row, now, self._retry_delays, OVERDUE_PATIENCE):
                await self._retry.point_to(stored.row)
                outcome.done[destination_id, "pointed to again"] += 1
            elif _parked_since(stored, began) or failures[partition] >= FAILURES_TO_STOP_AT:
                left = True
            elif removed or _wants_redrive(stored, now, request):
                together.append((partition, stored))
            if len(together) >= pace.at_once:
                pace = await self._attempt_all(together, destination_id, snapshot, outcome, failures, pace)
                together = []
            if self._clock() >= until or self._all_fail(failures, destination_id, snapshot):
                return False
        if together:
            await self._attempt_all(together, destination_id, snapshot, outcome, failures, pace)
        return not left and max(failures.values(), default=0) < FAILURES_TO_STOP_AT

    async def _attempt_all(
        self,
        together: Sequence[tuple[str | None, StoredUndelivered]],
        destination_id: str,
        snapshot: ConfigurationSnapshot,
        outcome: WatchOutcome,
        failures: Counter[str | None],
        pace: RedrivePace,
    ) -> RedrivePace:
        """Try these rows, each with its partition, and rest for the pace; the pace for the next ones."""
        began = self._clock()
        attempts = await all_of(self._retry.attempt(stored, snapshot) for _, stored in together)
        for (partition, _), attempt in zip(together, attempts, strict=True):
            if attempt == Attempt.FAILED:
                failures[partition] += 1
            elif attempt == Attempt.PARKED:
                failures[partition] = max(failures[partition], FAILURES_TO_STOP_AT)
            outcome.done[destination_id, attempt] += 1
        took, beside_changes = self._clock() - began, self._traffic.busy
        failed = not {Attempt.FAILED, Attempt.PARKED}.isdisjoint(attempts)
        if rest := pace.rest(len(together), took, beside_changes=beside_changes):
            await self._sleep(rest / SECOND)
        await outcome.notes[destination_id].settled(sum(attempt in _SETTLED for attempt in attempts))
        return pace.after(took, failed=failed, beside_changes=beside_changes)

    def _all_fail(self, failures: Counter[str | None], destination_id: str, snapshot: ConfigurationSnapshot) -> bool:
        """Whether there is no partition left that may take anything in this run."""
        given_up = {partition for partition, count in failures.items() if count >= FAILURES_TO_STOP_AT}
        partitions = self._retry.partitions_of(destination_id, snapshot)
        return None in given_up or 0 < partitions <= len(given_up)


def _parked_since(stored: StoredUndelivered, began: int) -> bool:
    """Whether the row was parked when the health rows were read already, or after that."""
    return stored.row.state == UndeliveredState.PARKED and stored.row.last_failed_at > began - CLOCK_SKEW


def _wants_redrive(stored: StoredUndelivered, now: int, request: RedriveRequest | None) -> bool:
    """A request is for all that had failed by then; what has failed since was tried for it."""
    row = stored.row
    if row.state == UndeliveredState.DEAD:
        requested = request is not None and row.last_failed_at <= request.requested_at
        return requested or not (row.permanent or within(now - row.last_failed_at, DEAD_LEFT_ALONE))
    return row.state == UndeliveredState.PARKED
