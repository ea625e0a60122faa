"""A lane whose event loop has much else to do: its own silence is not taken for the hub's."""

import asyncio
from itertools import pairwise
from typing import Any, TypeAlias, cast

import pytest
from azure.eventhub import EventDataBatch

from shared.adapters.event_hubs.batches import Waiting
from shared.adapters.event_hubs.hub_connection import HubConnection
from shared.adapters.event_hubs.lanes import Lane
from shared.adapters.event_hubs.partition_queue import Patience
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.errors import FailureCode, HeldBackError, SendError
from shared.ports.exports import Acknowledgement
from shared.ports.tracing import PassOn
from tests.kit.builders import NOW
from tests.kit.virtual_time import VirtualTimeLoop, run_virtually

TURNS_OF_AN_ANSWER = 15
PATIENCE = Patience()


class Connection:
    """Each answer takes some turns of the event loop, in each of which that is busy for so many seconds.

    `sends` are the time and the number of events of each.
    """

    is_open = True

    def __init__(self, busy: float, turns: int | None = TURNS_OF_AN_ANSWER) -> None:
        self._busy = busy
        self._turns = turns
        self.sends: list[tuple[float, int]] = []

    def is_open_to(self, partition: str) -> bool:
        return True

    def open_batch(self, partition: str) -> EventDataBatch:
        return EventDataBatch(max_size_in_bytes=100_000, partition_id=partition)

    async def send(self, partition: str, batch: EventDataBatch) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.sends.append((loop.time(), len(batch)))
        if self._turns is None:
            await asyncio.Event().wait()
        for _ in range(self._turns or 0):
            loop.keep_busy(self._busy)
            await asyncio.sleep(0)


def waiting(*, more_follow: bool = False) -> Waiting:
    export = Export(Destination(id="d", name="d", event_hub_name="d"), "p", NOW, 1, ("audience",), NOW, b"{}")
    return Waiting(export, asyncio.get_running_loop().create_future(), 0.0, more_follow)


def lane_to(connection: Connection, partitions: list[str]) -> Lane:
    def gone(partition: str, error: SendError) -> None:
        raise AssertionError(partition) from error

    return Lane(
        "d",
        cast(HubConnection, cast(Any, connection)),
        partitions,
        gone=gone,
        room=lambda size: True,
        patience=PATIENCE,
        tracing=PassOn(),
    )


def outcomes(connection: Connection, partitions: list[str]) -> list[Acknowledgement | BaseException]:
    """What becomes of one export for each of the partitions, and of another one for the first meanwhile."""

    async def main() -> list[Acknowledgement | BaseException]:
        lane = lane_to(connection, partitions)
        exports = [(each, waiting()) for each in (*partitions, partitions[0])]
        for partition, export in exports:
            lane.add(partition, export)
        return await asyncio.gather(*(export.acknowledged for _, export in exports), return_exceptions=True)

    return run_virtually(main)


def test_a_hub_that_answers_is_heard_by_a_loop_that_is_busy_for_seconds() -> None:
    for partitions in (["0"], ["0", "1"]):
        results = outcomes(Connection(busy=3.0), partitions)
        assert all(isinstance(each, Acknowledgement) for each in results), results


def test_a_hub_that_does_not_answer_is_not_waited_for() -> None:
    results = outcomes(Connection(busy=0.0, turns=None), ["0"])
    assert [type(each) for each in results] == [type(results[0])] * 2
    assert isinstance(results[0], SendError)
    assert not isinstance(results[0], HeldBackError)
    assert results[0].code is FailureCode.TIMEOUT


Sends: TypeAlias = list[tuple[float, int]]


def sends_of(every: float, count: int, *, more_follow: bool, flushed: bool = False) -> Sends:
    """Those of a hub that answers at once, for an event to each of two partitions every so many seconds.

    `flushed`: at the end; of the second partition nothing comes before that.
    """
    connection = Connection(busy=0.0, turns=0)

    async def main() -> None:
        lane = lane_to(connection, ["0", "1"])
        exports = [waiting(more_follow=more_follow) for _ in range(count)]
        for number, export in enumerate(exports):
            export.since = asyncio.get_running_loop().time()
            lane.add(str(int(number == count - 1)), export)
            if number < count - 1:
                await asyncio.sleep(every)
        if flushed:
            lane.flush()
        await asyncio.gather(*(export.acknowledged for export in exports))

    run_virtually(main)
    return connection.sends


def test_an_event_waits_for_company_and_for_longer_where_more_follow() -> None:
    every = PATIENCE.gathering / 5
    for more_follow, wait in ((False, PATIENCE.gathering), (True, PATIENCE.gathering_more)):
        sends = sends_of(every, 500, more_follow=more_follow)
        gaps = [later - at for (at, _), (later, _) in pairwise(sends[:-2])]
        assert gaps == pytest.approx([wait + every] * len(gaps), abs=1.1 * every)
        assert sends[0][0] == pytest.approx(wait)
        assert sum(events for _, events in sends) == 500


def test_enough_events_for_a_send_wait_for_no_more() -> None:
    sends = sends_of(PATIENCE.gathering_more / PATIENCE.worth_a_send / 4, 500, more_follow=True)
    assert [events for _, events in sends[:-2]] == [PATIENCE.worth_a_send] * (499 // PATIENCE.worth_a_send)


def test_once_nothing_follows_all_partitions_are_sent_to() -> None:
    """What comes later waits for company of its own."""
    sends = sends_of(0.0, 10, more_follow=True, flushed=True)
    assert sends == [(0.0, 9), (0.0, 1)]
