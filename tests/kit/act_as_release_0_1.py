"""Run by tests/kit/release_0_1.py in the folder of release 0.1: a task for its code, with JSON in and out.

All modules of it are imported by name, for this release has others.
"""

import asyncio
import json
import sys
from importlib import import_module
from typing import Any

_QUEUES = {"backfill-slices": "slice_queue", "export-retries": "retry_queue", "alert-deliveries": "alert_queue"}


async def read(relay: Any, given: Any) -> Any:
    """All that is stored, as 0.1 sees it. `given` are the keys of profiles."""
    services = relay.services
    store = services.explain_profile._profiles
    found = {key: await store.find(key) for key in given}
    profiles = {
        stored.state.profile_id or key: {
            "version": stored.state.version,
            "attributes": stored.state.attributes.resolve(),
            "memberships": {name: each.realized for (_, name), each in stored.state.memberships.items()},
            "due": len(stored.state.due),
        }
        for key, stored in found.items()
    }
    configuration = (await relay.configuration.load()).configuration
    destinations = [each.id for each in configuration.destinations]
    return {
        "profiles": profiles,
        "destinations": destinations,
        "dataflows": [each.id for each in configuration.dataflows],
        "undelivered": {
            each: sorted([[row.row.profile_id, str(row.row.state)] async for row in relay.undelivered.of(each)])
            for each in destinations
        },
        "backfills": {each.backfill.id: str(each.backfill.state) async for each in relay.backfills.all()},
        "alerts": [each.rule for each in await services.evaluate_alerts.alerts() if not each.resolved_at],
        "deliveries": len(await services.evaluate_alerts.deliveries()),
        "subscriptions": {each.url: each.events for each in await services.alert_subscriptions.all()},
        "quarantined": len([each async for each in services.replay_quarantined.quarantined()]),
        "down": sorted(await services.health.load()),
        "redrives": sorted(await services.health.requests()),
        "audited": len(await services.audit.newest_first(10)),
        "lastExports": {each: len(await services.last_exports.of(each)) for each in destinations},
    }


async def work(relay: Any, given: Any) -> Any:
    """All that waits: changes that are redelivered and new ones (`given`), the app's own queues, the timers' work."""
    services = relay.services
    inbound = import_module("shared.services.export_changes").InboundMessage
    taken = (inbound(each["id"], each["text"].encode(), each["receivedAt"]) for each in given)
    await asyncio.gather(*map(services.export_changes.handle, taken))
    await services.runs.flush()
    outcomes: dict[str, list[str]] = {"export-retries": [], "backfill-slices": [], "alert-deliveries": []}
    await services.plan_backfills.run()
    handlers = {
        "export-retries": services.retry_export.handle,
        "backfill-slices": services.work_slices.work,
        "alert-deliveries": services.deliver_alerts.handle,
    }
    await services.evaluate_alerts.run(import_module("shared.services.evaluate_alerts").AlertRun())
    for name, handle in handlers.items():
        decode = import_module(f"shared.adapters.{_QUEUES[name]}").decode_pointer
        outcomes[name] = await _take(name, decode, handle)
    await services.plan_backfills.run()
    await services.watch_destinations.run()
    return outcomes


async def _take(name: str, decode: Any, handle: Any) -> list[str]:
    settings = import_module("shared.settings").Settings.from_environment(_SETTINGS)
    async with import_module("shared.adapters.queues").connect(settings.queues(), name) as queue:
        messages = [each async for each in queue.receive_messages(messages_per_page=32)]
        pointers = [decode(each.content.encode()) for each in messages]
        # Half a minute each wait those of what does not answer, and of an upload, whose changes nobody takes here.
        slow = ("down", "upload-")
        taken = [each for each in pointers if not getattr(each, "backfill_id", "").startswith(slow)]
        outcomes = await asyncio.gather(*map(handle, taken))
        for message in messages:
            await queue.delete_message(message)
    return [str(each) for each in outcomes]


def fields() -> Any:
    """The members of a configuration file, an alert's rules and the columns of an upload that 0.1 knows."""
    configuration = import_module("shared.domain.configuration")
    return {
        "Destination": sorted(each.alias for each in configuration.Destination.model_fields.values()),
        "MappedAudience": sorted(each.alias for each in configuration.MappedAudience.model_fields.values()),
        "Dataflow": sorted(each.alias for each in configuration.Dataflow.model_fields.values()),
        "Audience": sorted(each.alias for each in configuration.Audience.model_fields.values()),
        "rules": sorted(import_module("shared.domain.alerts").RULES),
        "upload": sorted(import_module("shared.domain.upload").UploadOrder.__dataclass_fields__),
        "kinds": sorted(import_module("shared.domain.backfill").BackfillKind),
    }


async def with_a_relay(task: str) -> Any:
    relay = await import_module("shared.bootstrap").build(_SETTINGS)
    try:
        return await {"read": read, "work": work}[task](relay, _GIVEN)
    finally:
        await relay.close()


if __name__ == "__main__":
    _input = json.load(sys.stdin)
    _SETTINGS, _GIVEN = _input["settings"], _input["given"]
    _task = sys.argv[1]
    sys.stdout.write(json.dumps(fields() if _task == "fields" else asyncio.run(with_a_relay(_task))))
