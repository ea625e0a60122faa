"""Event Hubs, and each worker's lanes to their partitions: batches follow each other, and may be lost or late."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass

from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.profile_key import partition_of
from shared.errors import FailureCode, HeldBackError, SendError, ThrottledError
from shared.ports.exports import Acknowledgement
from tests.faults.load.configuration import PARTITIONS
from tests.faults.simulator.causes import Sent, cause_of
from tests.faults.simulator.life import Life, at_work
from tests.faults.simulator.recipe import ALL, Fault, Kind
from tests.faults.simulator.trace import Trace

_GATHERING = 0.005
_SLOW_AFTER = 2.5
SEND_TIMEOUT = 5.0
_LINGERS = 4.0
"""Seconds for which the event of a send that was given up may still be on its way: less than is promised for."""
_LATE = (0.2, 0.3, 0.4, 0.7, 2.0)
_AFTER_DEATH = 0.05
"""What a worker had handed to the network when it died arrives within that, or never."""
_PAUSE_OF_THROTTLED = 4.0
_THROTTLED_LONGEST = 30.0


@dataclass(frozen=True)
class StoredEvent:
    """`at` in the loop's time, `number` within the partition."""

    export: Export
    partition: str
    number: int
    at: float


class Hubs:
    """`faults` are those of hubs that last now; `duplicates` counts what was stored more than once, by its cause."""

    def __init__(self, rng: random.Random, late: float, trace: Trace) -> None:
        self.faults: dict[str, Fault] = {}
        self.stored: list[StoredEvent] = []
        self.duplicates: Counter[str] = Counter()
        self.under_way = 0
        self.trace = trace
        self.rng = rng
        self._late = late
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._first: dict[str, Sent] = {}

    def takes(self) -> float:
        rng = self.rng
        return rng.choice(_LATE) if rng.random() < self._late else rng.uniform(0.001, 0.02)

    def fault_of(self, destination_id: str) -> Kind | None:
        """What the next send to the destination meets."""
        for fault in self.faults.values():
            if fault.target in {destination_id, ALL} and (
                fault.kind is Kind.HUB_DEAD or self.rng.random() < fault.share
            ):
                return fault.kind
        return None

    def store(self, life: Life, partition: str, batch: "list[_Waiting]") -> None:
        for each in batch:
            export = each.export
            hub = export.destination.event_hub_name
            number = self._numbers[hub, partition] = self._numbers[hub, partition] + 1
            self.stored.append(StoredEvent(export, partition, number, asyncio.get_running_loop().time()))
            identity = f"{hub}/{export.message_id}"
            first = self._first.setdefault(identity, each.sent)
            cause = "" if first is each.sent and not each.stored else cause_of(first, each.sent)
            each.stored = True
            if cause:
                self.duplicates[cause] += 1
            if self.trace.kept:
                what = f"event {hub}/{partition} #{number} {export.profile_id} v{export.version}"
                self.trace.say(life.name, f"{what} for {each.sent.by}{f': {cause}' if cause else ''}")


@dataclass
class _Waiting:
    export: Export
    acknowledged: "asyncio.Future[Acknowledgement]"
    sent: Sent
    stored: bool = False
    throttled: bool = False


class SimulatedSender:
    """One worker's way to all hubs."""

    def __init__(self, hubs: Hubs, life: Life) -> None:
        self._hubs = hubs
        self._life = life
        self._lanes: dict[tuple[str, str], _Lane] = {}

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        self._life.step(sends=True)
        partitions = self.partitions(export.destination)
        partition = partitions[partition_of(export.profile_id, len(partitions))]
        key = export.destination.id, partition
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(self._hubs, self._life, *key)
        return lane.add(export)

    def flush(self) -> None:
        """What it gathers goes soon in any case."""

    def partitions(self, _destination: Destination) -> tuple[str, ...]:
        return tuple(str(number) for number in range(PARTITIONS))


class _Lane:
    """As the sender's own: what gathers while a batch is under way goes with the next, and nobody waits for a hub that
    does not answer.
    """

    def __init__(self, hubs: Hubs, life: Life, destination_id: str, partition: str) -> None:
        self._hubs = hubs
        self._life = life
        self._destination_id = destination_id
        self._partition = partition
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._held: HeldBackError | None = None
        self._throttled_since: float | None = None

    def add(self, export: Export) -> "asyncio.Future[Acknowledgement]":
        loop = asyncio.get_running_loop()
        waiting = _Waiting(export, loop.create_future(), Sent(at_work(), self._life.name))
        if self._held is not None and self._busy:
            waiting.acknowledged.set_exception(self._held)
            return waiting.acknowledged
        self._waiting.append(waiting)
        if not self._busy:
            self._busy = True
            self._hubs.under_way += 1
            loop.call_later(_GATHERING, self._send)
        return waiting.acknowledged

    def _send(self) -> None:
        batch, self._waiting = self._waiting, []
        if self._life.over or not batch:
            self._end()
            return
        hubs, loop = self._hubs, asyncio.get_running_loop()
        fault, there, back = hubs.fault_of(self._destination_id), hubs.takes(), hubs.takes()
        if fault is None and there + back < _SLOW_AFTER:
            loop.call_later(there, self._arrive, batch)
            loop.call_later(there + back, self._acknowledge, batch)
        elif fault in {None, Kind.HUB_SILENT}:
            self._stall(batch, there if fault is None else hubs.rng.uniform(0.0, SEND_TIMEOUT + _LINGERS - _SLOW_AFTER))
        elif fault is Kind.HUB_DOWN:
            self._fail_in(back, batch, FailureCode.OTHER, None)
        elif fault is Kind.HUB_DEAD:
            self._fail_in(back, batch, FailureCode.BAD_KEY, None)
        elif fault is Kind.HUB_THROTTLES:
            loop.call_later(there + back, self._throttled, batch)
        else:
            self._lose_reply(batch, there)

    def _lose_reply(self, batch: list[_Waiting], there: float) -> None:
        """The connection goes once the events are stored: they are sent again over a new one, or given up."""
        loop, hubs = asyncio.get_running_loop(), self._hubs
        loop.call_later(there, self._arrive, batch)
        if hubs.rng.random() < 0.5:
            again = there + hubs.rng.uniform(0.1, 1.5)
            loop.call_later(again, self._arrive, batch)
            loop.call_later(again + hubs.takes() / 2, self._acknowledge, batch)
        else:
            self._fail_in(there + hubs.takes(), batch, FailureCode.OTHER, self._partition)

    def _stall(self, batch: list[_Waiting], arrives_in: float) -> None:
        loop = asyncio.get_running_loop()
        if self._hubs.rng.random() < 0.7:
            loop.call_later(arrives_in, self._arrive, batch)
        loop.call_later(_SLOW_AFTER, self._slow, batch)
        loop.call_later(SEND_TIMEOUT, self._end)

    def _slow(self, batch: list[_Waiting]) -> None:
        self._held = HeldBackError(
            self._destination_id, "it has not answered in time", FailureCode.TIMEOUT, self._partition
        )
        waiting, self._waiting = self._waiting, []
        self._tell_failure([*batch, *waiting], FailureCode.TIMEOUT, self._partition)

    def _throttled(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        self._throttled_since = self._throttled_since or loop.time()
        for each in batch:
            each.throttled = True
        self._waiting = [*batch, *self._waiting]
        if loop.time() - self._throttled_since >= _THROTTLED_LONGEST:
            waiting, self._waiting, self._throttled_since = self._waiting, [], None
            error = ThrottledError(self._destination_id, "it takes nothing", self._partition)
            for each in waiting:
                _fail(each, error)
            self._end()
        else:
            loop.call_later(_PAUSE_OF_THROTTLED * self._hubs.rng.uniform(0.75, 1.25), self._send)

    def _arrive(self, batch: list[_Waiting]) -> None:
        ended_at = self._life.ended_at
        if ended_at is None or asyncio.get_running_loop().time() <= ended_at + _AFTER_DEATH:
            self._hubs.store(self._life, self._partition, batch)

    def _acknowledge(self, batch: list[_Waiting]) -> None:
        self._held, self._throttled_since = None, None
        for each in batch:
            if not each.acknowledged.done():
                each.sent.acknowledged = not self._life.over
                each.acknowledged.set_result(Acknowledgement(self._partition, each.throttled))
        self._go_on()

    def _fail_in(self, seconds: float, batch: list[_Waiting], code: FailureCode, partition: str | None) -> None:
        def fail() -> None:
            self._tell_failure(batch, code, partition)
            self._go_on()

        asyncio.get_running_loop().call_later(seconds, fail)

    def _tell_failure(self, batch: list[_Waiting], code: FailureCode, partition: str | None) -> None:
        error = SendError(self._destination_id, str(code), code, partition)
        self._hubs.trace.say(self._life.name, f"send to {self._destination_id}/{self._partition} failed: {code}")
        for each in batch:
            _fail(each, error)

    def _go_on(self) -> None:
        if self._waiting:
            self._send()
        else:
            self._end()

    def _end(self) -> None:
        if self._waiting and not self._life.over:
            self._send()
            return
        self._busy = False
        self._hubs.under_way -= 1


def _fail(waiting: _Waiting, error: SendError) -> None:
    if not waiting.acknowledged.done():
        waiting.acknowledged.set_exception(error)
