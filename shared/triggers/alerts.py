"""The triggers of alerts: judging, and telling those who subscribed."""

import json
import logging

import azure.functions as func

from shared.triggers.inbound import decoded_or_none, in_hand
from shared.triggers.invocation import ends
from shared.triggers.timers import services_of, tell_alerts

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call]


@blueprint.function_name("evaluate_alerts")
@blueprint.timer_trigger(arg_name="timer", schedule="%ALERT_SCHEDULE%", use_monitor=False)
@ends
async def evaluate_alerts(timer: func.TimerRequest) -> None:
    """Open and resolve alerts; each is a line of the log, too, whoever has subscribed."""
    from shared.services.alerts.evaluate import AlertRun  # here, so that indexing the functions does not load the SDKs

    outcome = AlertRun()
    services = await services_of("evaluate_alerts")
    try:
        await services.evaluate_alerts.run(outcome)
    finally:
        tell_alerts(outcome.told)


@blueprint.function_name("deliver_alert")
@blueprint.queue_trigger(arg_name="pointer", queue_name="alert-deliveries", connection="RELAY_STORAGE")
@ends
async def deliver_alert(pointer: func.QueueMessage) -> None:
    """Send an event to a webhook. A failure of storage is raised, so that the queue brings the pointer again."""
    from shared.adapters.queues.pointers import ALERT_DELIVERIES

    async with in_hand("alerts", pointer) as services:
        if (decoded := await decoded_or_none(ALERT_DELIVERIES.decode, pointer)) is None:
            return
        outcome = await services.deliver_alerts.handle(decoded)
    what = {"event": decoded.event_id, "subscription": decoded.subscription_id, "outcome": outcome}
    logger.info("delivered %s", json.dumps(what))
