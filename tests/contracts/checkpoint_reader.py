"""The contract of CheckpointReader."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from shared.domain.exports.lag import Checkpoint
from shared.errors import ConsumerLagError
from shared.ports.consumers import CheckpointReader

HUB = "Crm-Hub"
Write: TypeAlias = Callable[[str, str, str, int], Awaitable[None]]


class CheckpointReaderContract:
    """`container` is the URL of an empty container. `write` stores a checkpoint of a namespace, a hub, a partition and
    a number there, of the consumer group `loader`, as processors do.
    """

    @pytest.fixture
    def reader(self) -> CheckpointReader:
        raise NotImplementedError

    @pytest.fixture
    def container(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def write(self) -> Write:
        raise NotImplementedError

    @staticmethod
    def summary(found: list[Checkpoint]) -> set[tuple[str, str, str, str, int | None]]:
        return {(each.namespace, each.hub, each.group, each.partition, each.sequence) for each in found}

    @pytest.mark.parametrize("namespace", ["contoso.servicebus.windows.net", "127.0.0.1:5672"])
    async def test_the_hubs_own_are_read(
        self, reader: CheckpointReader, container: str, write: Write, namespace: str
    ) -> None:
        assert await reader.read(container, namespace, HUB) == []
        await write(namespace, HUB, "0", 7)
        await write(namespace, HUB, "1", 9)
        await write(namespace, "another", "0", 3)
        await write("fabrikam.servicebus.windows.net", HUB, "0", 5)
        found = await reader.read(container, namespace, HUB)
        hub = HUB.lower()
        assert self.summary(found) == {(namespace, hub, "loader", "0", 7), (namespace, hub, "loader", "1", 9)}
        assert all(each.written_at > 0 for each in found)

    async def test_a_local_host_stands_there_with_its_port_or_without(
        self, reader: CheckpointReader, container: str, write: Write
    ) -> None:
        await write("127.0.0.1:5672", HUB, "0", 1)
        await write("127.0.0.1", HUB, "1", 2)
        found = await reader.read(container, "127.0.0.1:5672", HUB)
        assert {each.partition for each in found} == {"0", "1"}

    async def test_where_there_are_none_of_the_hub_others_are_told_of(
        self, reader: CheckpointReader, container: str, write: Write
    ) -> None:
        await write("fabrikam.servicebus.windows.net", "another", "0", 5)
        found = await reader.read(container, "contoso.servicebus.windows.net", HUB)
        assert self.summary(found) == {("fabrikam.servicebus.windows.net", "another", "loader", "0", 5)}

    async def test_a_container_that_is_not_there(self, reader: CheckpointReader, container: str) -> None:
        with pytest.raises(ConsumerLagError, match="there is no container of this name") as raised:
            await reader.read(f"{container}-2", "contoso.servicebus.windows.net", HUB)
        assert raised.value.kind == "not-found"
