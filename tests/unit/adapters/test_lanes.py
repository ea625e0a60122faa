"""A lane whose event loop has much else to do: its own silence is not taken for the hub's."""

import asyncio
from typing import Any, cast

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


class Connection:
    """Each answer takes some turns of the event loop, in each of which that is busy for so many seconds."""

    is_open = True

    def __init__(self, busy: float, turns: int | None = TURNS_OF_AN_ANSWER) -> None:
        self._busy = busy
        self._turns = turns

    def is_open_to(self, partition: str) -> bool:
        return True

    def open_batch(self, partition: str) -> EventDataBatch:
        return EventDataBatch(max_size_in_bytes=100_000, partition_id=partition)

    async def send(self, partition: str, batch: EventDataBatch) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        if self._turns is None:
            await asyncio.Event().wait()
        for _ in range(self._turns or 0):
            loop.keep_busy(self._busy)
            await asyncio.sleep(0)


def waiting() -> Waiting:
    export = Export(Destination(id="d", name="d", event_hub_name="d"), "p", NOW, 1, ("audience",), NOW, b"{}")
    return Waiting(export, asyncio.get_running_loop().create_future(), 0.0)


def outcomes(connection: Connection, partitions: list[str]) -> list[Acknowledgement | BaseException]:
    """What becomes of one export for each of the partitions, and of another one for the first meanwhile."""

    async def main() -> list[Acknowledgement | BaseException]:
        def gone(partition: str, error: SendError) -> None:
            raise AssertionError(partition) from error

        lane = Lane(
            "d",
            cast(HubConnection, cast(Any, connection)),
            partitions,
            gone=gone,
            room=lambda size: True,
            patience=Patience(),
            tracing=PassOn(),
        )
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
