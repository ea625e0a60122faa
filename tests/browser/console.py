"""What the browser tests do on the local stack besides clicking."""

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
from azure.storage.queue.aio import QueueClient
from playwright.async_api import Page

from local.eventually import eventually
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from tests.browser.checks import visit
from tests.kit.webhook import Webhook

SCRIPT = "<script>document.title = 'run'</script>"


class AlertHook(Webhook):
    """Where alerts are posted to, and what was."""

    @property
    def told(self) -> list[tuple[str, str]]:
        """Type and rule of each event, in the order received."""
        return [(event["type"].rpartition(".")[2], event["data"].get("rule", "")) for event in self.events]


def change(profile_id: str, second: int = 0, audience: str = "gold", **fields: Any) -> dict[str, Any]:
    """A change by which the profile enters the audience."""
    at = f"2026-01-11T21:24:{second:02}Z"
    return {
        "profileId": profile_id,
        "occurredAt": at,
        "attributes": {"person": {"name": {"firstName": "John"}}},
        "segmentMembership": {"ups": {audience: {"status": "realized", "lastQualificationTime": at}}},
    } | fields


async def send(stack: LocalStack, *messages: Mapping[str, Any] | str) -> None:
    """Put each on the queue as a message."""
    async with QueueClient.from_connection_string(
        stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False
    ) as queue:
        for message in messages:
            await queue.send_message(message if isinstance(message, str) else json.dumps(message))


async def call(stack: LocalStack, method: str, path: str, body: Any = None) -> Any:
    """Ask the API; its answer."""
    async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:
        answer = await client.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json()


async def connect(stack: LocalStack, destination_id: str, hub: str, audience: str | None = None) -> None:
    """A destination by the API, with a dataflow if there is an audience to map."""
    connection = {"type": "app-setting", "setting": "EVENTHUBS"}
    body = {"id": destination_id, "name": destination_id, "eventHubName": hub, "connection": connection}
    await call(stack, "POST", "/api/destinations", body)
    if audience is not None:
        mapping = {"audiences": [audience], "attributes": ["/person"]}
        await call(stack, "PUT", f"/api/dataflows/{destination_id}", mapping)


async def shows(page: Page, url: str, pattern: str, timeout: float = 60) -> str:  # noqa: ASYNC109
    """Load the page until its text matches; the text, on one line."""

    async def matching() -> str | None:
        await visit(page, url)
        text = re.sub(r"\s+", " ", await page.inner_text("main"))
        assert re.search(pattern, text), text
        return text

    found = await eventually(matching, timeout)
    assert found is not None
    return found
