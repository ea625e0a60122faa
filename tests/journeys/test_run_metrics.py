"""What the running app counts is what the hubs hold, whoever is asked, and a trace goes through to an event."""

from typing import Any

import httpx
import pytest

from local.eventually import eventually
from local.stack.local_stack import LocalStack
from local.stack.state import RELAY_STORAGE
from shared.adapters.tables.last_exports import TableLastExports
from shared.adapters.tables.service import table as tables
from shared.domain.jsonvalue import canonical_json
from shared.settings import Connection
from tests.contracts.last_exports_store import sent
from tests.kit import running_host
from tests.kit.builders import destination, item, membership
from tests.kit.running_relay import RunningRelay
from tests.unit.changes.test_tracing import TRACEPARENT

CONFIGURATION = {
    "destinations": [destination("crm"), destination("analytics")],
    "dataflows": [
        {"id": "crm", "audiences": ["a"], "attributes": ["/x"]},
        {"id": "analytics", "audiences": ["b"], "attributes": []},
    ],
}
PROFILES = 5


async def remember_an_old_export(stack: LocalStack) -> None:
    """As an instance leaves it that has ended."""
    async with tables.Account(Connection(RELAY_STORAGE, stack.storage_connection_string)) as account:
        table = tables.Table(account, "LastExports")
        await table.create_if_missing()
        await TableLastExports(table).put("crm", "ended", [sent("p")])


async def last_exports_shown_by_another_instance(stack: LocalStack) -> list[dict[str, Any]]:
    """Those to crm, as an instance shows them that began when all messages had been handled: it has sent nothing."""
    other = stack.start_functions_host(kind=running_host.KIND)
    async with httpx.AsyncClient(base_url=other.url, timeout=30) as client:
        answer = await client.get("/api/destinations/crm/last-exports")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["lastExports"]
    return found


@pytest.mark.runs_the_app
async def test_counts_and_traces_on_the_running_app(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LocalStack(tmp_path_factory.mktemp("metrics"), hubs={"crm": 2, "analytics": 2}) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        await remember_an_old_export(stack)
        await relay.start(lease_seconds=30)
        joined = [item(f"p{number}", 1, segmentMembership=membership(1)) for number in range(PROFILES)]
        await relay.send({"changes": joined, "traceparent": TRACEPARENT}, "{no JSON")
        await relay.handled()
        for attribute in ("x", "y"):
            await relay.send(item("p0", 2, attributes={attribute: 1}))
            await relay.handled()
        async with httpx.AsyncClient(base_url=stack.functions_host.url, timeout=30) as client:

            async def counted(destination_id: str) -> Any:
                answer = await client.get(f"/api/metrics/{destination_id}", params={"hours": 1, "step": 600})
                assert answer.status_code == 200, answer.text
                return answer.json()["totals"]

            async def all_counted() -> bool:
                return bool((await counted("*"))["received"] == PROFILES + 3)

            assert await eventually(all_counted, timeout=240)
            crm, analytics, everything = [await counted(each) for each in ("crm", "analytics", "*")]
        shown = await last_exports_shown_by_another_instance(stack)

        async def old_ones_are_forgotten() -> bool:
            return all(row["RowKey"] != "ended" for row in await relay.rows("LastExports"))

        assert await eventually(old_ones_are_forgotten, timeout=240)
        exports = await relay.exports()

    assert crm["activated"] == {"audience": PROFILES, "attribute": 1}
    told_of_x = [(each.properties["profileId"], each.properties["reason"]) for each in exports if "x" in each.body]
    assert (len(exports), told_of_x) == (PROFILES + 1, [("p0", "attribute")])
    assert (crm["received"], crm["bytesSent"]) == (
        PROFILES + 1,
        sum(len(canonical_json(each.body)) for each in exports),
    )
    assert (crm["failed"], crm["parked"], crm["dead"]) == (0, 0, 0)
    assert crm["latency"]["count"] == crm["freshness"]["count"] == PROFILES + 1
    assert 0 < crm["latency"]["p50"] < 60
    assert crm["latency"]["p50"] <= crm["latency"]["p95"]
    assert analytics["activated"] == {}
    assert len(shown) == PROFILES + 1
    assert {each["profileVersion"] for each in shown} == {each.properties["profileVersion"] for each in exports}
    told = {each.properties["profileVersion"]: (each.properties["profileId"], each.body) for each in exports}
    same = [each for each in shown if each["bodyState"] == "sent"]
    assert [(each["profileId"], each["body"]) for each in same] == [told[each["profileVersion"]] for each in same]
    assert {each["profileId"] for each in shown if each["bodyState"] == "changed"} == {"p0"}
    assert len(same) == PROFILES - 1
    assert everything["excluded"] == {"nothing mapped changed": 1, "in quarantine": 1}
    traces = [each.properties.get("traceparent") for each in exports if each.properties["reason"] == "audience"]
    assert traces == [TRACEPARENT] * PROFILES
    assert [each.properties.get("traceparent") for each in exports].count(None) == 1
