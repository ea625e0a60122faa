"""Run by tests/journeys/test_by_identity.py in a process of its own, which trusts the test's certificate: the app's
services at work on storage that they reach by tokens alone. Settings in, what came of it out, as JSON.
"""

import asyncio
import json
import sys
from typing import Any

from shared.adapters.queues import queue
from shared.bootstrap import Relay, build, clock
from shared.domain.alerts.subscription import SubscriptionDetails
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.messages.pointers import SlicePointer
from shared.services.backfills.slices import SliceOutcome
from shared.services.changes.export import InboundMessage
from shared.services.configuration.apply import apply_configuration
from shared.settings import Settings
from tests.kit.make_fixtures import CONFIGURATION, messages


async def act(relay: Relay) -> dict[str, Any]:
    """Rows of every kind are written, read, listed and deleted; queues put to, counted and taken from; a file read."""
    services = relay.services
    await apply_configuration(relay.configuration, services.health, parse_configuration_file(CONFIGURATION), clock)
    for name, text in messages(clock()).items():
        await services.export_changes.handle(InboundMessage(name, text.encode(), clock()))
    upload = await services.audience_uploads.take(("uploads", "list"), b"profileId\nann\n")
    await services.plan_backfills.run()
    await services.alert_subscriptions.create(SubscriptionDetails(url="http://127.0.0.1:9/hook"))
    found = await services.explain_profile.look_up("ann")
    return {
        "ann": found.state.attributes.resolve()["person"] if found else None,
        "undelivered": len([each async for each in relay.undelivered.of("down")]),
        "quarantined": len([each async for each in services.replay_quarantined.quarantined()]),
        "uploaded": str(await _worked(relay, upload.id)),
        "queues": {str(each.kind): each.messages for each in await services.queues.counts() if not each.poison},
    }


async def _worked(relay: Relay, upload_id: str) -> SliceOutcome:
    (part,) = await relay.backfills.slices(upload_id)
    pointer = SlicePointer(upload_id, part.slice.bucket, part.slice.sequence)
    return await relay.services.work_slices.work(pointer)


async def make_the_queue_of_changes(settings: Settings) -> None:
    """Which is upstream's to make."""
    async with queue.connect(settings.queues(), settings.changes_queue) as changes:
        await changes.create_queue()


async def main() -> None:
    settings = json.load(sys.stdin)
    await make_the_queue_of_changes(Settings.from_environment(settings))
    relay = await build(settings)
    try:
        answer = await act(relay)
    finally:
        await relay.close()
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    asyncio.run(main())
