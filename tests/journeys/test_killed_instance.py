"""An instance that is killed costs the app's own lease, not the ten minutes for which the host hides a message."""

import asyncio
from pathlib import Path

import pytest
from azure.storage.queue.aio import QueueClient

from local.broker.control import Fault
from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.adapters.queues.in_hand import QUEUE
from tests.kit.builders import destination, item, membership
from tests.kit.running_relay import RunningRelay

pytestmark = pytest.mark.runs_the_app
CONFIGURATION = {
    "audiences": [{"id": "a", "mergePolicyId": "m"}],
    "destinations": [destination("first")],
    "dataflows": [{"id": "first", "audiences": ["a"]}],
}
TEN_MINUTES = 600
SETTINGS = {"MESSAGE_LEASE_SECONDS": "2", "SEND_TIMEOUT": "120"}


async def test_what_a_killed_instance_had_in_hand_comes_back_by_the_apps_lease(tmp_path: Path) -> None:
    profiles = {f"in hand {number}" for number in range(12)}
    with LocalStack(tmp_path, hubs={"first": 4}) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        await relay.apply({})
        stack.broker.set_faults(Fault(kind="stall", hub="first"))
        # They are there before the host is, which takes them all at once.
        await relay.send(*(item(profile, 1, segmentMembership=membership(1)) for profile in profiles))
        await relay.start(lease_seconds=TEN_MINUTES, settings=SETTINGS)
        async with QueueClient.from_connection_string(stack.storage_connection_string, QUEUE) as notes:

            async def noted() -> bool:
                return (await notes.get_queue_properties()).approximate_message_count == 1

            await eventually(noted, timeout=240)
        await asyncio.to_thread(stack.functions_host.kill)
        stack.broker.clear_faults()
        await asyncio.to_thread(stack.functions_host.start)

        await relay.handled()
        assert {export.properties["profileId"] for export in await relay.exports()} == profiles
        assert await relay.poisoned() == 0
