"""On a local stack: a hub breaks and a webhook hears of it; the hub is mended and the webhook hears of that."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from shared.bootstrap import clock
from shared.domain.instants import format_instant
from tests.kit import running_host
from tests.kit.builders import destination, membership
from tests.kit.running_relay import RunningRelay
from tests.kit.webhook import Webhook, listening

CONFIGURATION: dict[str, Any] = {
    "audiences": [{"id": "a", "name": "A"}],
    "destinations": [destination("alerted")],
    "dataflows": [{"id": "alerted", "audiences": ["a"], "attributes": ["/x"]}],
}


class AlertHook(Webhook):
    @property
    def told(self) -> list[tuple[str, str]]:
        """Rule and state of each event that is about an alert, in the order received."""
        return [(event["data"]["rule"], event["data"]["state"]) for event in self.events if "rule" in event["data"]]


@pytest.fixture
async def webhook() -> AsyncIterator[AlertHook]:
    async with listening(AlertHook) as hook:
        yield hook


@pytest.mark.runs_the_app
async def test_a_hub_that_breaks_and_is_mended(tmp_path: Path, webhook: AlertHook) -> None:
    with LocalStack(tmp_path) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        stack.broker.create_hub("alerted")
        await relay.start(lease_seconds=60, settings={"ALERT_SCHEDULE": "* * * * * *"})
        async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:
            subscription = {"url": webhook.url, "events": ["destination-down"]}
            created = (await client.post("/api/alert-subscriptions", json=subscription)).json()["subscription"]
            tested = (await client.post(f"/api/alert-subscriptions/{created['id']}/test")).json()
            assert (tested, webhook.events[0]["type"]) == (
                {"delivered": True, "status": 204, "problem": None},
                "profile-relay.alert.test",
            )

            stack.broker.delete_hub("alerted")
            qualified = {"segmentMembership": membership(1), "occurredAt": format_instant(clock())}
            await relay.send(*({"profileId": f"p{number}", **qualified} for number in range(6)))

            async def heard(*expected: tuple[str, str]) -> bool:
                return webhook.told == list(expected)

            down, up = ("destination-down", "open"), ("destination-down", "resolved")
            assert await eventually(lambda: heard(down), timeout=240)
            assert await eventually(lambda: relay.log.count('"still down"') >= 3, timeout=240)
            states = {alert["rule"]: alert["state"] for alert in (await client.get("/api/alerts")).json()["alerts"]}
            assert states["destination-down"] == "open"

            stack.broker.create_hub("alerted")
            assert await eventually(lambda: '"healthy"' in relay.log, timeout=240)
            assert await eventually(lambda: heard(down, up), timeout=240)
            listed = (await client.get("/api/alerts")).json()
            assert {alert["rule"]: alert["state"] for alert in listed["alerts"]}["destination-down"] == "resolved"
            assert [delivery["state"] for delivery in listed["deliveries"]] == ["delivered", "delivered"]
        warned = running_host.warnings_in(relay.log)
        assert len([line for line in warned if 'alert {"event"' in line and '"destination-down"' in line]) == 2
        secret = json.loads((tmp_path / "secrets.json").read_text())[f"profile-relay--alert-{created['id']}"]
        assert all(value not in relay.log for value in secret.values())
