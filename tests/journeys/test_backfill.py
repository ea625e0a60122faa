"""Backfill, pause, expiry and forgetting on real parts: the timers, the slices' queue, the tables and the hubs."""

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local.broker.control import Fault
from local.eventually import eventually
from local.exports import Export
from local.stack.local_stack import LocalStack
from shared.domain.instants import DAY, format_instant
from shared.domain.profile_key import profile_key
from tests.kit.builders import NOW, destination, ids, item, membership
from tests.kit.running_relay import RunningRelay

HUBS = ("mapping", "pausing", "forgetting", "uploading")
CONFIGURATION: dict[str, Any] = {
    "audiences": [{"id": "uploaded", "origin": "custom-upload"}],
    "destinations": [destination(hub) for hub in HUBS],
    "dataflows": [{"id": hub, "audiences": [f"{hub}-a"], "attributes": ["/x"]} for hub in HUBS],
}
pytestmark = pytest.mark.runs_the_app
EVERY_SECOND = {"BACKFILL_SCHEDULE": "* * * * * *", "SWEEP_SCHEDULE": "*/10 * * * * *"}
FAST = EVERY_SECOND | {"CONFIG_CACHE_SECONDS": "0.5", "SEND_TIMEOUT": "3"}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    with LocalStack(tmp_path_factory.mktemp("backfill"), hubs=dict.fromkeys(HUBS, 2)) as stack:
        relay = RunningRelay(stack, CONFIGURATION)
        asyncio.run(start(relay))
        yield relay


async def start(relay: RunningRelay) -> None:
    """Until the backfills of the new dataflows are over, which have no members yet."""
    await relay.start(lease_seconds=3, settings=FAST)
    for hub in HUBS:
        await backfilled(relay, f"{hub}-1")


async def backfilled(relay: RunningRelay, backfill_id: str) -> None:
    """Wait until this backfill is done."""

    async def done() -> bool:
        rows = await relay.rows("Backfills")
        return any(row["RowKey"] == backfill_id and row.get("state") == "done" for row in rows)

    assert await eventually(done, timeout=240)


def dataflows(name: str, **fields: Any) -> dict[str, Any]:
    """The configuration with other fields in one dataflow."""
    return {
        "dataflows": [
            dataflow | fields if dataflow["id"] == name else dataflow for dataflow in CONFIGURATION["dataflows"]
        ]
    }


async def latest_backfill(relay: RunningRelay, name: str) -> str:
    """The id of the newest backfill of a destination, once the timer took note of it."""

    async def newest() -> str | None:
        rows = [row for row in await relay.rows("Backfills") if row.get("destinationId") == name]
        return max((row["requestedAt"].value, row["RowKey"]) for row in rows)[1] if len(rows) > 1 else None

    return str(await eventually(newest, timeout=240))


def told(exports: list[Export], hub: str) -> list[tuple[str, str]]:
    return sorted((e.properties["profileId"], e.properties["reason"]) for e in exports if e.hub == hub)


async def test_members_from_before_the_mapping_are_exported_once(relay: RunningRelay) -> None:
    members = [f"member-{number}" for number in range(300)]
    entries = membership(1, audience="late") | membership(1, audience="later", namespace="other")
    changes = [item(each, 1, segmentMembership=entries, attributes={"x": each}) for each in members]
    await relay.send(*(changes[start : start + 100] for start in range(0, 300, 100)))
    await relay.send([item(f"stranger-{number}", 1, attributes={"x": 1}) for number in range(50)])
    await relay.handled()
    mapped = ["mapping-a", "late", {"namespace": "other", "id": "later"}]
    await relay.apply(dataflows("mapping", audiences=mapped))
    await backfilled(relay, await latest_backfill(relay, "mapping"))

    exports = await relay.exports()

    assert told(exports, "mapping") == sorted((each, "backfill") for each in members)
    body = next(export.body for export in exports if export.properties["profileId"] == "member-7")
    assert body["x"] == "member-7"
    assert body["segmentMembership"]["ups"]["late"]["status"] == "realized"


async def test_a_resumed_dataflow_hears_once_of_what_changed(relay: RunningRelay) -> None:
    enters = membership(1, audience="pausing-a")
    await relay.send([item(each, 1, segmentMembership=enters) for each in ("changes", "leaves", "probe")])
    await relay.handled()
    await relay.apply(dataflows("pausing", enabled=False))
    seconds = count(2)

    async def paused() -> bool:
        """The app follows when its cache is over; until then it exports."""
        await relay.send(item("probe", next(seconds), attributes={"x": 1}))
        await relay.handled()
        return '"dataflow paused"' in relay.log

    assert await eventually(paused, timeout=240)
    before = told(await relay.exports(), "pausing")
    await relay.send(item("changes", 2, attributes={"x": 2}))
    await relay.send(item("leaves", 2, segmentMembership=membership(2, "exited", audience="pausing-a")))
    await relay.handled()
    assert told(await relay.exports(), "pausing") == before

    await relay.apply({})
    await backfilled(relay, await latest_backfill(relay, "pausing"))

    exports = await relay.exports("changes", "leaves")
    assert told(exports, "pausing")[::2] == [("changes", "audience"), ("leaves", "audience")]
    last = {export.properties["profileId"]: export for export in exports}
    assert {export.properties["reason"] for export in last.values()} == {"backfill"}
    assert last["changes"].body["x"] == 2
    assert last["leaves"].body["segmentMembership"]["ups"]["pausing-a"]["status"] == "exited"


async def everything(relay: RunningRelay) -> dict[str, str]:
    """Every table and queue of the account and every log, as text, by name."""
    found = {}
    connection_string = relay.stack.storage_connection_string
    async with TableServiceClient.from_connection_string(connection_string) as tables:
        names = [table.name async for table in tables.list_tables()]
    for name in names:
        found[f"table {name}"] = "\n".join(str(dict(row)) for row in await relay.rows(name))
    async with QueueServiceClient.from_connection_string(connection_string) as queues:
        async for queue in queues.list_queues():
            peeked = await queues.get_queue_client(queue.name).peek_messages(max_messages=32)
            found[f"queue {queue.name}"] = "\n".join(str(message.content) for message in peeked)
    for log in (relay.stack.directory / "logs").glob("*.log"):
        found[f"log {log.name}"] = log.read_text(encoding="utf-8")
    return found


async def test_of_a_forgotten_profile_nothing_is_left_in_any_table_queue_or_log(relay: RunningRelay) -> None:
    traces = ("forget-me", "Do-Not-Keep-Me", profile_key("forget-me"))
    fields: dict[str, Any] = {
        "attributes": {"x": "Do-Not-Keep-Me"},
        "identityMap": ids("Do-Not-Keep-Me-Either"),
        "segmentMembership": membership(1, audience="forgetting-a"),
    }
    await relay.send([item("forget-me", 1, **fields), {"profileId": "forget-me", "wrong": "Do-Not-Keep-Me"}])
    await relay.handled()
    relay.stack.broker.set_faults(Fault(kind="reject", hub="forgetting"))
    await relay.send(item("forget-me", 2, attributes={"x": "Do-Not-Keep-Me"}))
    await relay.handled()

    async def among_the_last_exports() -> bool:
        return traces[2] in str(await relay.rows("LastExports"))

    assert await eventually(among_the_last_exports, timeout=240)
    there = await everything(relay)
    for table in ("AudienceMembers", "Profiles", "Quarantine", "Undelivered"):
        assert any(trace in there[f"table {table}"] for trace in traces), table

    await relay.send(item("forget-me", 3, deleted=True))
    relay.stack.broker.clear_faults()
    await relay.delivered()

    async def forgotten() -> bool:
        rows = [row for row in await relay.rows("Profiles") if row["RowKey"] == traces[2]]
        found = {name: text for name, text in (await everything(relay)).items() if any(t in text for t in traces)}
        assert found.keys() == {"table Profiles"}
        assert not any(trace in found["table Profiles"].replace(traces[2], "", 1) for trace in traces)
        return len(rows) == 1 and len(rows[0]["state0"]) < 150

    assert await eventually(forgotten, timeout=240)
    exports = await relay.exports("forget-me")
    assert exports[-1].body == {
        "segmentMembership": {
            "ups": {"forgetting-a": {"status": "exited", "lastQualificationTime": "2026-01-11T21:00:01Z"}}
        },
        "identityMap": {"ecid": [{"id": "Do-Not-Keep-Me-Either"}]},
    }


async def test_an_uploaded_membership_lapses(relay: RunningRelay) -> None:
    await relay.apply(dataflows("uploading", audiences=["uploaded"]))
    await backfilled(relay, await latest_backfill(relay, "uploading"))
    lapsed, lasting = membership(1, audience="uploaded"), membership(1, audience="uploaded")
    lasting["ups"]["uploaded"]["validUntil"] = format_instant(NOW + 36_500 * DAY)
    await relay.send([item("lapsing", 1, segmentMembership=lapsed), item("lasting", 1, segmentMembership=lasting)])

    async def exported() -> bool:
        return told(await relay.exports("lapsing", "lasting"), "uploading") == [
            ("lapsing", "audience"),
            ("lapsing", "audience"),
            ("lasting", "audience"),
        ]

    assert await eventually(exported, timeout=240)
    statuses = [
        json.dumps(export.body["segmentMembership"]["ups"]["uploaded"]["status"])
        for export in await relay.exports("lapsing")
    ]
    assert statuses == ['"realized"', '"exited"']
