"""On a local stack: profiles cannot be stored for longer than messages are delivered, and then they can."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from local.storage_faults.rules import StorageFault
from shared.bootstrap import clock
from shared.domain.instants import format_instant
from tests.kit.builders import destination, membership
from tests.kit.running_relay import RunningRelay

CONFIGURATION: dict[str, Any] = {
    "audiences": [{"id": "a", "name": "A"}],
    "destinations": [destination("drained")],
    "dataflows": [{"id": "drained", "audiences": ["a"], "attributes": ["/x"]}],
}
SETTINGS = {
    "ALERT_SCHEDULE": "* * * * * *",
    "AzureFunctionsJobHost__extensions__queues__maxDequeueCount": "2",
}
PROFILES = {f"p{number}" for number in range(5)}


@pytest.mark.runs_the_app
async def test_what_failed_at_every_delivery_is_exported_once_storage_answers(tmp_path: Path) -> None:
    with LocalStack(tmp_path, storage_faults=True) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        stack.broker.create_hub("drained")
        # The timer takes nothing meanwhile, for what it takes it leaves alone for two minutes.
        stack.storage_faults.set_faults(
            StorageFault(kind="status", status=403, service="table", path="Profiles("),
            StorageFault(kind="status", service="queue", method="GET", path="profile-changes-poison/messages"),
        )
        await relay.start(lease_seconds=60, settings=SETTINGS)
        qualified = {"segmentMembership": membership(1), "occurredAt": format_instant(clock())}
        await relay.send(*({"profileId": profile_id, **qualified} for profile_id in sorted(PROFILES)))

        async def all_poisoned() -> bool:
            return await relay.poisoned() == len(PROFILES)

        assert await eventually(all_poisoned, timeout=240)
        assert await relay.exports() == []
        stack.storage_faults.clear_faults()

        async def all_told() -> bool:
            return {export.properties["profileId"] for export in await relay.exports()} == PROFILES

        assert await eventually(all_told, timeout=240)
        await relay.handled()

        async def none_poisoned() -> bool:
            return await relay.poisoned() == 0

        assert await eventually(none_poisoned, timeout=240)
        assert await relay.quarantine() == {}
        async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:

            async def told_of() -> bool:
                alerts = (await client.get("/api/alerts")).json()["alerts"]
                return ("poison-messages", "*") in {(alert["rule"], alert["destinationId"]) for alert in alerts}

            assert await eventually(told_of, timeout=240)
