"""A hub is made anew with another number of partitions: the app follows, and nobody restarts it."""

from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.eventually import eventually
from local.exports import Export
from local.stack.local_stack import LocalStack
from shared.bootstrap import clock
from shared.domain.instants import format_instant
from tests.kit.builders import destination, membership
from tests.kit.running_relay import RunningRelay

HUB = "remade"
CONFIGURATION: dict[str, Any] = {
    "audiences": [{"id": "a", "name": "A"}],
    "destinations": [destination(HUB)],
    "dataflows": [{"id": HUB, "audiences": ["a"], "attributes": ["/x"]}],
}
PROFILES = [f"p{number}" for number in range(12)]


class Relay(RunningRelay):
    async def change(self, number: int) -> None:
        changes = [
            {
                "profileId": each,
                "occurredAt": format_instant(clock()),
                "attributes": {"x": number},
                "segmentMembership": membership(1),
            }
            for each in PROFILES
        ]
        await self.send(*changes)

    async def exported(self, number: int) -> list[Export]:
        """What was exported with this value."""
        return [each for each in await self.exports() if each.body.get("x") == number]

    async def all_arrive(self, number: int) -> bool:
        return {each.properties["profileId"] for each in await self.exported(number)} == set(PROFILES)

    async def partitions_in_use(self, number: int) -> int:
        return len({each.partition for each in await self.exported(number)})


@pytest.mark.runs_the_app
async def test_it_shrinks_and_grows(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        relay = Relay(stack, CONFIGURATION)
        stack.broker.create_hub(HUB, 4)
        await relay.start(lease_seconds=60, settings={"SEND_TIMEOUT": "5"})
        await relay.change(1)
        assert await eventually(lambda: relay.all_arrive(1), timeout=240)
        assert await relay.partitions_in_use(1) > 1

        stack.broker.delete_hub(HUB)
        stack.broker.create_hub(HUB, 1)
        await relay.change(2)
        assert await eventually(lambda: relay.all_arrive(2), timeout=240)
        await relay.delivered()
        async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:
            shown = (await client.get(f"/api/destinations/{HUB}")).json()
        assert shown["health"]["state"] == "healthy"

        stack.broker.delete_hub(HUB)
        stack.broker.create_hub(HUB, 4)
        numbers = count(3)

        async def new_partitions_are_used() -> bool:
            await relay.change(number := next(numbers))
            assert await eventually(lambda: relay.all_arrive(number), timeout=240)
            return await relay.partitions_in_use(number) > 1

        assert await eventually(new_partitions_are_used, timeout=240)
