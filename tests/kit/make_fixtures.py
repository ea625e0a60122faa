"""Writes what this version of the app stores and sends, for later versions to be tested against:

    .venv/bin/python -m tests.kit.make_fixtures tests/fixtures/release-2

Do it once for each release, and keep what earlier ones wrote as it is: tests/integration/test_releases.py reads it all.
"""

import asyncio
import base64
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azure.storage.queue.aio import QueueClient

from local.commands.apply import apply
from local.stack.local_stack import LocalStack
from shared.adapters.queues.pointers import SLICES
from shared.bootstrap import Relay, build, clock
from shared.domain.alerts.subscription import SubscriptionDetails
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import MINUTE, SECOND, format_instant
from shared.ports.audit import AuditEntry
from shared.ports.health import RedriveRequest
from shared.services.alerts.evaluate import AlertRun
from shared.services.changes.export import InboundMessage
from tests.kit import stored

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
IDENTITY = {"type": "managed-identity", "namespace": "contoso.servicebus.windows.net", "clientId": "0f8fad5b-d9cb"}
CONFIGURATION: dict[str, Any] = {
    "audiences": [
        {"id": "loyal", "name": "Loyal customers", "mergePolicyId": "default"},
        {"id": "list", "namespace": "uploads", "name": "A list", "origin": "custom-upload"},
    ],
    "destinations": [
        {
            "id": "crm",
            "name": "CRM",
            "eventHubName": "crm",
            "includeSegmentNames": True,
            "includeSegmentTimestamps": True,
        },
        {"id": "asks", "name": "Asks for consent", "eventHubName": "crm"},
        {"id": "down", "name": "Is down", "eventHubName": "not-there"},
        {"id": "paused", "name": "Paused", "eventHubName": "crm", "authentication": IDENTITY},
    ],
    "dataflows": [
        {
            "id": "crm",
            "audiences": ["loyal", {"namespace": "uploads", "id": "list"}],
            "attributes": ["person", "/a~1b"],
        },
        {"id": "asks", "audiences": ["loyal"], "attributes": ["person.name"], "consent": "consents.marketing"},
        {"id": "down", "audiences": ["loyal"], "skipSameValueWrites": True, "triggers": {"identity": False}},
        {"id": "paused", "audiences": ["loyal"], "enabled": False},
    ],
}
SETTINGS = {"CONFIG_CACHE_SECONDS": "0.2", "SEND_TIMEOUT": "5", "RETRY_DELAYS": "0,0"}


def messages(now: int) -> dict[str, str]:
    """The text of each message, by its id: every form that a message may have, and every kind of item."""

    def at(seconds_ago: int) -> str:
        return format_instant(now - seconds_ago * SECOND)

    def change(profile_id: str, seconds_ago: int = 60, **fields: Any) -> dict[str, Any]:
        return {"profileId": profile_id, "occurredAt": at(seconds_ago), **fields}

    def member(status: str = "realized", **more: str) -> dict[str, Any]:
        return {"ups": {"loyal": {"status": status, "lastQualificationTime": at(60), **more}}}

    ann = change(
        "ann",
        changeId="c-1",
        attributes={"person": {"name": {"firstName": "Ann"}, "age": 42}, "a/b": [1, 2.5, None, "ü"]},
        identityMap={"ecid": [{"id": "1"}, {"id": "2"}]},
        segmentMembership=member(),
    )
    documents: dict[str, Any] = {
        "one": ann,
        "array": [
            change("bob/#?", segmentMembership=member("existing", validUntil=format_instant(now + 60 * MINUTE))),
            change("bob/#?", 30, attributes={"person": {"name": None}, "consents": {"marketing": "y"}}),
        ],
        "batch": {
            "traceparent": TRACE,
            "changes": [
                {"audience": {"id": "new", "name": "By upstream", "mergePolicyId": "default"}},
                change("carl", segmentMembership=member() | {"uploads": {"list": member()["ups"]["loyal"]}}),
                change("carl", 20, segmentMembership=member("exiting")),
                {"profileId": "nobody", "occured": "a typing mistake"},
            ],
        },
        "enters": change("gone", 50, segmentMembership=member(), identityMap={"ecid": [{"id": "3"}]}),
        "deletes": change("gone", 10, deleted=True),
        "never-seen": change("stranger", deleted=True),
    }
    texts = {name: json.dumps(document, ensure_ascii=False) for name, document in documents.items()}
    texts["base64"] = base64.b64encode(json.dumps(change("dora", segmentMembership=member())).encode()).decode()
    return texts | {"no-json": "hello"}


async def play(relay: Relay, connection_string: str, texts: Mapping[str, str], received_at: int) -> None:
    """Let the app have something of every kind in its tables and on its queues."""
    services = relay.services
    for name, text in texts.items():
        await services.export_changes.handle(InboundMessage(name, text.encode(), received_at))
    await asyncio.sleep(1.6)  # until the backfills are due
    await services.plan_backfills.run()
    async with QueueClient.from_connection_string(connection_string, SLICES.name) as queue:
        for message in [each async for each in queue.receive_messages(messages_per_page=32)]:
            pointer = SLICES.decode(message.content.encode())
            if pointer.backfill_id.startswith("asks"):  # the others are left for later versions to work on
                await services.work_slices.work(pointer)
                await queue.delete_message(message)
            else:
                await queue.update_message(message, visibility_timeout=0)
    await services.plan_backfills.run()
    await services.audience_uploads.take(("uploads", "list"), b"profileId\nann\n", replace=True)
    await services.audience_uploads.create(("uploads", "list"))
    await services.plan_backfills.sweep()
    await services.alert_subscriptions.create(SubscriptionDetails(url="http://127.0.0.1:9/hook"))
    await services.evaluate_alerts.run(AlertRun())
    await services.health.request(RedriveRequest("crm", clock()))
    entry = AuditEntry(clock(), "ann@contoso.com", "POST /api/dataflows/paused/pause", details=["destination paused"])
    await services.audit.begin(entry)
    entry.status = 200
    await services.audit.end(entry)


async def make(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as state, LocalStack(Path(state), hubs={"crm": 2}) as stack:
        account = stack.storage_connection_string
        await apply(account, parse_configuration_file(CONFIGURATION))
        relay = await build(stack.settings | SETTINGS)
        now = clock()
        texts = messages(now)
        await play(relay, account, texts, now)
        await relay.close()
        stored.keep(account, directory)
    sent = [
        json.dumps({"id": name, "text": text, "receivedAt": now}, ensure_ascii=False) for name, text in texts.items()
    ]
    (directory / "queues/profile-changes.ndjson").write_text("\n".join(sent) + "\n", encoding="utf-8")
    (directory / "written-at").write_text(f"{format_instant(clock())}\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or Path(sys.argv[1]).exists():
        sys.exit(f"expected the directory of a release that has none yet\n\n{__doc__}")
    asyncio.run(make(Path(sys.argv[1])))
