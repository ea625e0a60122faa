"""Looks after destinations that were down and after exports that wait: whatever a run leaves, the next one finds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shared.concurrency import all_of
from shared.domain.exports.redrive_pace import RedrivePace
from shared.domain.instants import SECOND, within
from shared.errors import ConflictError, ExportTooLargeError, NotUndeliveredError, SendError, StorageError
from shared.ports.health import DestinationTrouble, HealthStore, RedriveRequest
from shared.ports.time import Clock, Sleep
from shared.ports.undelivered import StoredUndelivered, UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.attempts import Attempt, failed_attempt
from shared.services.delivery.note_recovery import NoteRecovery
from shared.services.delivery.redrive_pass import RedrivePass, parked_since
from shared.services.delivery.retry import RetryExport
from shared.services.in_hand.live_traffic import LiveTraffic

PROBED_PARTITIONS = 4
"""For so many partitions of a destination that is down a run looks whether one of them answers."""
ONE_WORKERS_PACE = 250.0
"""Exports a second that one worker sends by itself, so that slices would gain nothing."""


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


class RedriveInSlices(Protocol):
    """Long redrives, which every worker takes part in."""

    async def under_way(self) -> set[str]:
        """The destinations that have one, so that nobody else is to touch their rows. Raises StorageError."""

    async def look_after(self, destination_id: str) -> int | None:
        """Start again what is lost of one that is under way; once it has ended, how many rows it settled.

        Raises StorageError.
        """

    async def hand_out(self, destination_id: str) -> None:
        """Begin one. Raises StorageError."""


class WatchDestinations:
    """`redrive_per_second` is the highest pace for each destination; a run works for at most `budget` seconds.

    A destination that answers again is `recovering` for `grace` seconds: by then every worker knows, and nobody
    counts on a parked row to be there still. A redrive that has tried `alone_for_rows` in `alone_for` microseconds and
    is not through goes on in `slices`.
    """

    alone_for_rows = 500
    alone_for = 5 * SECOND

    def __init__(
        self,
        *,
        configuration: ConfigurationCache,
        undelivered: UndeliveredStore,
        health: HealthStore,
        retry: RetryExport,
        slices: RedriveInSlices,
        traffic: LiveTraffic,
        clock: Clock,
        sleep: Sleep,
        redrive_per_second: float,
        grace: float,
        budget: float = 55.0,
    ) -> None:
        self._configuration = configuration
        self._undelivered = undelivered
        self._health = health
        self._retry = retry
        self._slices = slices
        self._traffic = traffic
        self._clock = clock
        self._sleep = sleep
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
        under_way = await self._slices.under_way()
        destination_ids = sorted(snapshot.targets.by_id.keys() | troubles.keys() | requests.keys() | under_way)
        await self._begin_notes(outcome, destination_ids)

        async def look_after(destination_id: str) -> None:
            trouble, request = troubles.get(destination_id), requests.get(destination_id)
            try:
                in_slices = destination_id in under_way
                await self._look_after(destination_id, trouble, snapshot, outcome, request, in_slices=in_slices)
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
        in_slices = destination_id in await self._slices.under_way()
        await self._look_after(destination_id, trouble, snapshot, outcome, asked, in_slices=in_slices)
        await outcome.notes[destination_id].note()
        return outcome

    async def _begin_notes(self, outcome: WatchOutcome, destination_ids: Iterable[str]) -> None:
        earlier = await self._health.recoveries()
        for each in destination_ids:
            outcome.notes[each] = NoteRecovery(self._health, self._clock, each, earlier.get(each))

    async def _have_ended(self, destination_id: str, outcome: WatchOutcome) -> bool:
        """Look after a redrive in slices; whether that is over, so that what it left is up to this run."""
        settled = await self._slices.look_after(destination_id)
        if settled is None:
            outcome.done[destination_id, "in slices"] += 1
            await outcome.notes[destination_id].goes_on()
            return False
        await outcome.notes[destination_id].settled(settled)
        return True

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
        if paused or not (self._unsettled(trouble) or parked_since(stored, began)):
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
        return trouble is not None and trouble.may_be_believed(self._clock(), self._grace)

    async def _look_after(
        self,
        destination_id: str,
        trouble: DestinationTrouble | None,
        snapshot: ConfigurationSnapshot,
        outcome: WatchOutcome,
        request: RedriveRequest | None,
        *,
        in_slices: bool,
    ) -> None:
        target = snapshot.targets.by_id.get(destination_id)
        if target is not None and not target.dataflow.enabled:
            return
        if trouble is not None and not trouble.recovering:
            await self._probe(trouble, snapshot, outcome)
        elif self._unsettled(trouble):
            outcome.done[destination_id, "recovering"] += 1
        elif in_slices and not await self._have_ended(destination_id, outcome):
            return
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
        """Try what waits, at the pace; whether all of it was tried. What takes long is handed out in slices."""
        began = self._clock()
        until = began + self._budget
        a_pass = RedrivePass(self._retry, self._clock, destination_id, snapshot, request, began)
        pace = RedrivePace(self._redrive_per_second)
        together: list[StoredUndelivered] = []
        try:
            async for stored in self._undelivered.of(destination_id):
                if await a_pass.wants(stored):
                    together.append(stored)
                if together and self._is_for_several(a_pass):
                    await self._hand_out(destination_id, request)
                    a_pass.done["handed out"] += 1
                    return False
                if len(together) >= pace.at_once:
                    pace = await self._attempt_all(a_pass, together, outcome, pace)
                    together = []
                if self._clock() >= until or a_pass.all_fail:
                    return False
            if together:
                await self._attempt_all(a_pass, together, outcome, pace)
        finally:
            for what, count in a_pass.done.items():
                outcome.done[destination_id, what] += count
        return a_pass.complete

    async def _attempt_all(
        self, a_pass: RedrivePass, together: Sequence[StoredUndelivered], outcome: WatchOutcome, pace: RedrivePace
    ) -> RedrivePace:
        """Try these rows and rest for the pace; the pace for the next ones."""
        tried, beside_changes = await a_pass.attempt(together), self._traffic.busy
        if rest := pace.rest(len(together), tried.took, beside_changes=beside_changes):
            await self._sleep(rest / SECOND)
        await outcome.notes[a_pass.destination_id].settled(tried.settled)
        return pace.after(tried.took, failed=tried.failed, beside_changes=beside_changes)

    def _is_for_several(self, a_pass: RedrivePass) -> bool:
        return (
            not a_pass.removed
            and self._redrive_per_second > ONE_WORKERS_PACE
            and a_pass.tried >= self.alone_for_rows
            and self._clock() - a_pass.began >= self.alone_for
        )

    async def _hand_out(self, destination_id: str, request: RedriveRequest | None) -> None:
        if request is not None and request.etag is None:
            await self._health.request(request)  # whoever takes a slice reads there what is asked for
        await self._slices.hand_out(destination_id)
