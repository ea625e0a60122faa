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


async def change(relay: RunningRelay, number: int) -> None:
    changes = [
        {
            "profileId": each,
            "occurredAt": format_instant(clock()),
            "attributes": {"x": number},
            "segmentMembership": membership(1),
        }
        for each in PROFILES
    ]
    await relay.send(*changes)


async def exported(relay: RunningRelay, number: int) -> list[Export]:
    """What was exported with this value."""
    return [each for each in await relay.exports() if each.body.get("x") == number]


async def all_arrive(relay: RunningRelay, number: int) -> bool:
    return {each.properties["profileId"] for each in await exported(relay, number)} == set(PROFILES)


async def partitions_in_use(relay: RunningRelay, number: int) -> int:
    return len({each.partition for each in await exported(relay, number)})


@pytest.mark.runs_the_app
async def test_it_shrinks_and_grows(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        stack.broker.create_hub(HUB, 4)
        await relay.start(lease_seconds=60, settings={"SEND_TIMEOUT": "5"})
        await change(relay, 1)
        assert await eventually(lambda: all_arrive(relay, 1), timeout=240)
        assert await partitions_in_use(relay, 1) > 1

        stack.broker.delete_hub(HUB)
        stack.broker.create_hub(HUB, 1)
        await change(relay, 2)
        assert await eventually(lambda: all_arrive(relay, 2), timeout=240)
        await relay.delivered()
        async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:
            shown = (await client.get(f"/api/destinations/{HUB}")).json()
        assert shown["health"]["state"] == "healthy"

        stack.broker.delete_hub(HUB)
        stack.broker.create_hub(HUB, 4)
        numbers = count(3)

        async def new_partitions_are_used() -> bool:
            await change(relay, number := next(numbers))
            assert await eventually(lambda: all_arrive(relay, number), timeout=240)
            return await partitions_in_use(relay, number) > 1

        assert await eventually(new_partitions_are_used, timeout=240)
