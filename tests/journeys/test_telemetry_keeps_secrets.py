"""Keys, tokens and profile ids go through every route and the queue: none of them is in what the app tells of it."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.broker.control import Fault
from local.eventually import eventually
from local.stack.local_stack import LocalStack
from tests.kit.builders import destination, item, membership
from tests.kit.console import page_routes
from tests.kit.environments import CHECKOUT
from tests.kit.ingestion import Ingestion, ingestion
from tests.kit.running_host import without_paths
from tests.kit.running_relay import RunningRelay

KEY, TOKEN, SAS, PROFILE = "a-function-key-0123456789", "eyJ0.token-of-somebody", "sas-key-of-a-hub", "jane.doe@private"
TOLD_NOWHERE = (KEY, TOKEN, SAS, PROFILE, PROFILE.replace("@", "%40"))
CONFIGURATION = {
    "audiences": [{"id": "a"}],
    "destinations": [destination("crm")],
    "dataflows": [{"id": "crm", "audiences": ["a"], "attributes": ["/x"]}],
}
TRACED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
HEADERS = TRACED | {"x-functions-key": KEY, "authorization": f"Bearer {TOKEN}", "cookie": f"session={TOKEN}"}
BODY = {"id": PROFILE, "profileId": PROFILE, "key": SAS, "sharedAccessKey": SAS, "reason": KEY}


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[LocalStack]:
    with LocalStack(tmp_path, hubs={"crm": 1}) as running:
        yield running


@pytest.fixture
def insights() -> Iterator[Ingestion]:
    with ingestion() as listening:
        yield listening


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of all there are, in the API and the console."""
    for path, operations in json.loads((CHECKOUT / "openapi.json").read_text())["paths"].items():
        yield from ((method.upper(), path) for method in operations if method != "parameters")
    yield from ((method, path) for method, path, _ in page_routes())


def send(url: str, asked: Sequence[tuple[str, str]]) -> list[int]:
    """The status of each answer."""
    statuses = []
    with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as client:
        for method, path in asked:
            named = re.sub(r"{[^}]*}", PROFILE, path)
            body: dict[str, Any] = {} if method in {"GET", "HEAD", "DELETE"} else {"json": BODY}
            if path.startswith("/console"):
                body = {"data": BODY} if body else {}
            statuses.append(
                client.request(method, named, params={"code": KEY, "profileId": PROFILE}, **body).status_code
            )
    return statuses


@pytest.mark.runs_the_app
async def test_none_is_told(own_stack: LocalStack, insights: Ingestion) -> None:
    relay = RunningRelay(own_stack, CONFIGURATION)
    settings = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": insights.connection_string,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "LOCAL_FUNCTION_KEY": KEY,
    }
    await relay.start(lease_seconds=10, settings=settings)
    await relay.send(
        item(PROFILE, 1, segmentMembership=membership(1)), json.dumps([{"profileId": PROFILE, "version": 0}])
    )
    await relay.handled()
    own_stack.broker.set_faults(Fault(kind="reject", hub="crm"))
    change = item(PROFILE, 2, segmentMembership=membership(1), attributes={"x": 1})
    await relay.send(TRACED | {"changes": [change]})

    async def undelivered() -> bool:
        return bool(await relay.rows("Undelivered"))

    assert await eventually(undelivered, timeout=240)
    asked = list(routes())
    statuses = await asyncio.to_thread(send, own_stack.functions_host.url, asked)
    assert {200, 404, 422} <= set(statuses)
    assert not [each for each, status in zip(asked, statuses, strict=True) if status in {401, 500}]
    told = list(insights.items)
    insights.items.clear()
    await relay.send(TRACED | {"changes": [change | {"occurredAt": "2026-01-11T22:00:01Z"}]})
    assert await eventually(lambda: insights.of_kind("MetricData") and insights.of_kind("RequestData"), timeout=240)
    await asyncio.to_thread(own_stack.functions_host.stop)

    assert not [each for each in (KEY, TOKEN, SAS) if each in relay.log]
    everything = {"telemetry": json.dumps(told + insights.items), "log": without_paths(relay.log)}
    assert '"undelivered": {"crm"' in everything["log"]
    assert {where: [each for each in TOLD_NOWHERE if each in text] for where, text in everything.items()} == {
        "telemetry": [],
        "log": [],
    }
