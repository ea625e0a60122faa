"""A run before the load's own judge: the events in the hubs as a reader finds them, and what else should not be."""

import json
from datetime import UTC, datetime, timedelta

from local.exports import Export
from shared.domain.instants import SECOND
from shared.domain.profile_key import profile_key
from tests.faults.load.configuration import DESTINATIONS, configuration
from tests.faults.load.judge import judge
from tests.faults.load.model import Model
from tests.faults.simulator.faults import document
from tests.faults.simulator.hubs import StoredEvent
from tests.faults.simulator.recipe import Plan
from tests.faults.simulator.tables import Tables
from tests.kit.builders import NOW

_BEGIN = datetime.fromtimestamp(NOW / SECOND, UTC)


def judged(plan: Plan, tables: Tables) -> list[str]:
    """Everything that is wrong."""
    world = tables.world
    model = Model(configuration(), plan.changes.all, earlier=[document((), DESTINATIONS)])
    verdict = judge(
        model,
        [_as_read(event) for event in tables.hubs.stored if event.export.destination.id not in plan.dead],
        dead=plan.dead,
        disturbances=(),
        sent_at={},
    )
    return [
        *(f"lost: {each}" for each in verdict.lost),
        *(f"unexpected: {each}" for each in verdict.unexpected),
        *(f"its last event is not the greatest version: {each}" for each in verdict.out_of_order),
        *verdict.problems,
        *(f"in quarantine, although every change is valid: {each.reason}" for each in world.quarantine.items.values()),
        *(
            f"{pair}: its destination is dead, and it is not among the undelivered"
            for pair in (model.expected() if plan.dead else ())
            # for the others, backfills wait that have no rows
            if pair[0] in plan.dead - plan.configured and (pair[0], profile_key(pair[1])) not in world.undelivered.rows
        ),
    ]


def _as_read(event: StoredEvent) -> Export:
    export = event.export
    return Export(
        hub=export.destination.event_hub_name,
        partition=event.partition,
        sequence_number=event.number,
        offset=str(event.number),
        enqueued_time=_BEGIN + timedelta(seconds=event.at),
        content_type="application/json",
        message_id=export.message_id,
        partition_key=export.partition_key,
        properties=dict(export.application_properties),
        body=json.loads(export.body),
    )
