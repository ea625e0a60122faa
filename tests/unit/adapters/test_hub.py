"""A hub whose partitions change while sends to them are under way: whoever waits is told, whatever comes when."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from azure.eventhub import EventDataBatch

from shared.adapters.event_hubs.hub import Hub
from shared.adapters.event_hubs.hub_connection import HubConnection, KeptAccess, NoSuchPartitionError
from shared.adapters.event_hubs.partition_queue import Patience
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.profile_key import partition_of
from shared.errors import FailureCode
from shared.places import Places
from shared.ports.exports import Acknowledgement
from shared.ports.tracing import PassOn
from tests.kit.builders import NOW
from tests.kit.virtual_time import run_virtually

FOUR = ("0", "1", "2", "3")
DESTINATION = Destination(id="d", name="d", event_hub_name="d")
Answer = Callable[[str], Awaitable[None]]


class Service:
    """The partitions that the hub has, and how it answers a send to each."""

    def __init__(self) -> None:
        self.partitions: tuple[str, ...] = FOUR
        self.answer: Answer = self.take
        self.under_way: set[str] = set()

    async def take(self, partition: str) -> None:
        if partition not in self.partitions:
            raise NoSuchPartitionError("d", f"no partition {partition}", FailureCode.UNKNOWN_HUB, partition)


class Connection:
    is_open = True

    def __init__(self, service: Service) -> None:
        self._service = service

    async def partitions(self) -> tuple[str, ...]:
        return self._service.partitions

    def is_open_to(self, partition: str) -> bool:
        return True

    def open_batch(self, partition: str) -> EventDataBatch:
        return EventDataBatch(max_size_in_bytes=100_000, partition_id=partition)

    async def send(self, partition: str, batch: EventDataBatch) -> None:
        self._service.under_way.add(partition)
        await self._service.answer(partition)

    async def close(self) -> None:
        pass


class HubOf(Hub):
    """A hub over connections to `service`."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            "d",
            KeptAccess(lambda: cast(Any, None)),
            5.0,
            connections=4,
            partitions_known_for=300.0,
            patience=Patience(),
            openings=Places(8, 1.0),
            tracing=PassOn(),
        )
        self._service = service

    def _new_connection(self) -> HubConnection:
        return cast(HubConnection, cast(Any, Connection(self._service)))


def export_to(partition: str) -> Export:
    profile = next(f"p{n}" for n in range(1_000) if FOUR[partition_of(f"p{n}", 4)] == partition)
    return Export(DESTINATION, profile, NOW, 1, ("audience",), NOW, b"{}")


async def with_lanes(service: Service) -> Hub:
    hub = HubOf(service)
    await hub.enqueue(export_to("0"))
    return hub


def test_a_partition_that_is_found_gone_while_lanes_are_made_anew_keeps_nobody_waiting() -> None:
    async def main() -> list[Acknowledgement]:
        service = Service()
        hub = await with_lanes(service)
        late = asyncio.Event()

        async def answer(partition: str) -> None:
            if partition == "3":
                await late.wait()
            await service.take(partition)

        service.answer = answer
        slow = hub.enqueue(export_to("3"))
        await asyncio.sleep(1.0)
        service.partitions = ("0",)
        told = hub.enqueue(export_to("1"))
        await asyncio.sleep(0.5)  # the lanes are being ended: one of them waits for its answer still
        late.set()
        async with asyncio.timeout(60.0):
            return [await told, await slow]

    assert [each.partition for each in run_virtually(main)] == ["0", "0"]


def test_whoever_waits_while_lanes_are_made_anew_hears_that_the_hub_is_closed() -> None:
    async def main() -> list[bool]:
        service = Service()
        hub = await with_lanes(service)

        async def answer(partition: str) -> None:
            if partition == "3":
                await asyncio.Event().wait()
            await service.take(partition)

        service.answer = answer
        slow = hub.enqueue(export_to("3"))
        await asyncio.sleep(1.0)
        service.partitions = ("0",)
        told = hub.enqueue(export_to("1"))
        await asyncio.sleep(0.5)
        await hub.close()
        return [told.cancelled(), slow.cancelled()]

    assert run_virtually(main) == [True, True]
