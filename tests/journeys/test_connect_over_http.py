"""From nothing to an export over the running app's API: connect, map, rotate; keys come back from nowhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack.local_stack import LocalStack
from tests.kit import running_host
from tests.kit.builders import item, membership
from tests.kit.running_relay import RunningRelay

OLD_KEY, NEW_KEY, MISTYPED = "the-old-key-of-the-hub", "the-new-key-of-the-hub", "a-key-that-was-mistyped"


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RunningRelay]:
    with LocalStack(tmp_path, hubs={"crm": 2}) as stack:
        stack.broker.put_key("send-profiles", OLD_KEY, "Send")
        stack.broker.put_key("send-profiles-2", NEW_KEY, "Send")
        yield RunningRelay(stack, {"destinations": [{"eventHubName": "crm"}]})


@pytest.mark.runs_the_app
async def test_connect_map_export_rotate_export(relay: RunningRelay) -> None:
    stack = relay.stack
    stack.start_functions_host(kind=running_host.KIND, settings={"CONFIG_CACHE_SECONDS": "0.5"})
    namespace = f"127.0.0.1:{stack.event_hubs.ports.amqp}"
    sas = {"type": "sas", "namespace": namespace, "keyName": "send-profiles", "key": OLD_KEY}
    answers: list[httpx.Response] = []

    async with httpx.AsyncClient(base_url=f"{stack.functions_host.url}/api", timeout=30) as api:

        async def expect(status: int, method: str, path: str, body: Any = None) -> Any:
            answers.append(await api.request(method, path, json=body))
            assert answers[-1].status_code == status, answers[-1].text
            return answers[-1].json()

        found = await expect(200, "POST", "/connections/check", {"connection": sas, "eventHubName": "crm"})
        assert (found["reachable"], found["partitions"]) == (True, ["0", "1"])
        assert found["hubsProblem"]["kind"] == "no-manage-claim"
        new = {"id": "crm", "name": "CRM", "eventHubName": "crm", "connection": sas}
        refused = await expect(422, "POST", "/destinations", new | {"connection": sas | {"key": MISTYPED}})
        assert refused["errors"][0].startswith("bad-key: ")
        await expect(201, "POST", "/destinations", new)
        await expect(201, "PUT", "/dataflows/crm", {"audiences": ["a"]})
        await relay.send(item("before", 1, segmentMembership=membership(1)))
        await relay.delivered()
        rotated = await expect(
            200, "POST", "/destinations/crm/connection/rotate", {"key": NEW_KEY, "keyName": "send-profiles-2"}
        )
        stack.broker.delete_key("send-profiles")
        await relay.send(item("after", 1, segmentMembership=membership(1)))
        await relay.delivered()
        await expect(200, "GET", "/config")
        await expect(200, "GET", "/audit")

    assert rotated["destination"]["authentication"]["keyHint"] == NEW_KEY[-4:]
    assert {export.properties["profileId"] for export in await relay.exports()} == {"before", "after"}
    everything = "".join(answer.text for answer in answers) + relay.log
    everything += repr([await relay.rows(table) for table in ("Configuration", "Audit", "Undelivered")])
    assert not any(key in everything for key in (OLD_KEY, NEW_KEY, MISTYPED))
