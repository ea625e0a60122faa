"""On a local stack: messages that came while a setting was wrong are exported once it is right, none lost."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from tests.kit.builders import destination, item, membership
from tests.kit.running_relay import RunningRelay

CONFIGURATION: dict[str, Any] = {
    "audiences": [{"id": "a", "name": "A"}],
    "destinations": [destination("mended")],
    "dataflows": [{"id": "mended", "audiences": ["a"], "attributes": ["/x"]}],
}
IMPATIENT = {"AzureFunctionsJobHost__extensions__queues__maxDequeueCount": "2"}
PROFILES = {f"p{number}" for number in range(3)}


async def health_of(stack: LocalStack) -> httpx.Response:
    async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:
        return await client.get("/api/health")


@pytest.mark.runs_the_app
async def test_a_setting_that_stops_the_app_loses_nothing(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        stack.broker.create_hub("mended")
        await relay.start(lease_seconds=60, settings=IMPATIENT | {"RETRY_DELAYS": "abc"})
        await relay.send(*(item(profile, 1, segmentMembership=membership(1)) for profile in sorted(PROFILES)))

        async def all_tried_often() -> bool:
            return relay.log.count("stays, and comes again in") > 3 * len(PROFILES)

        assert await eventually(all_tried_often, timeout=240)
        assert await relay.poisoned() == 0
        health = await health_of(stack)
        assert health.status_code == 503
        assert health.json()["detail"].startswith("app setting RETRY_DELAYS: expected seconds")
        assert "app setting RETRY_DELAYS: expected seconds" in relay.log
        stack.functions_host.stop()
        await relay.start(lease_seconds=60, settings=IMPATIENT)

        async def all_told() -> bool:
            return {export.properties["profileId"] for export in await relay.exports()} == PROFILES

        assert await eventually(all_told, timeout=240)
        assert await relay.quarantine() == {}
        assert (await health_of(stack)).status_code == 200
