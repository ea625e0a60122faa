"""Opens and resolves alerts, and lets those who subscribed hear of it.

An event is told of in three steps, each of which may be repeated: the alert's row says what is to be told, a row for
each delivery is added, the alert's row says that it was. A run that ends in between is finished by the next.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shared.domain import alert_delivery, alert_state
from shared.domain.alert_delivery import AlertDelivery, exhausted, given_up, overdue
from shared.domain.alert_state import Alert, AlertEvent, alert_key, next_state
from shared.domain.alert_subscriptions import AlertSubscription
from shared.domain.alerts import RULES, Facts, Verdict
from shared.domain.webhooks import cloud_event
from shared.errors import ConflictError
from shared.services.alert_facts import AlertFacts
from shared.services.alert_ports import AlertStore, DeliveryPointer, DeliveryQueue, Stored
from shared.services.configuration_cache import ConfigurationCache
from shared.services.ports import Clock
from shared.services.run_ports import MetricSink


@dataclass(slots=True)
class AlertRun:
    """What one run told of, as plain JSON: each event at least once, however often runs end early."""

    told: list[dict[str, Any]] = field(default_factory=list)


class EvaluateAlerts:
    def __init__(
        self,
        *,
        configuration: ConfigurationCache,
        facts: AlertFacts,
        store: AlertStore,
        queue: DeliveryQueue,
        metrics: MetricSink,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._configuration = configuration
        self._facts = facts
        self._store = store
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id

    async def run(self, outcome: AlertRun) -> None:
        """Judge every destination, and note in `outcome` what was told of. Raises StorageError."""
        destinations = sorted((await self._configuration.current()).targets.by_id)
        subscriptions = [stored.item for stored in await self._store.subscriptions.all()]
        alerts = {stored.item.key: stored for stored in await self._store.alerts.all()}
        for stored in alerts.values():
            await self._tell(stored, subscriptions, outcome)  # what a run before this one left
        facts = await self._facts.of(destinations)
        judged = set()
        for destination_id, rule_id, threshold in _wanted(destinations, subscriptions):
            key = alert_key(destination_id, rule_id, threshold)
            judged.add(key)
            changed = await self._judge(alerts.get(key), destination_id, rule_id, threshold, facts[destination_id])
            if changed is not None:
                alerts[key] = changed
                await self._tell(changed, subscriptions, outcome)
        for key in alerts.keys() - judged:
            changed = await self._let_go(alerts[key])
            if changed is not None:
                alerts[key] = changed
                await self._tell(changed, subscriptions, outcome)
        self._metrics.publish_alerts(stored.item for stored in alerts.values())
        await self._look_after_deliveries()

    async def alerts(self) -> list[Alert]:
        """The latest alert of each kind: those that are open first, then the latest resolved. Raises StorageError."""
        found = [stored.item for stored in await self._store.alerts.all()]
        return sorted(found, key=lambda alert: (alert.resolved_at > 0, -alert.resolved_at, -alert.opened_at))

    async def deliveries(self) -> list[AlertDelivery]:
        """The latest first. Raises StorageError."""
        found = [stored.item for stored in await self._store.deliveries.all()]
        return sorted(found, key=lambda delivery: -delivery.created_at)

    async def _judge(
        self, stored: Stored[Alert] | None, destination_id: str, rule_id: str, threshold: float, facts: Facts
    ) -> Stored[Alert] | None:
        """Save what becomes of the alert; None where that is nothing new, or somebody else was faster."""
        rule, now = RULES[rule_id], self._clock()
        value, verdict = rule.measure(facts), rule.evaluate(facts, threshold)
        if stored is not None and not stored.item.resolved_at:
            after = next_state(stored.item, verdict, value, now)
        elif verdict == Verdict.FIRING and value is not None:
            after = Alert(
                id=self._new_id(),
                destination_id=destination_id,
                rule=rule_id,
                threshold=threshold,
                value=value,
                opened_at=now,
            )
        else:
            await self._forget(stored)
            return None
        return None if after is None else await self._save(Stored(after, stored.etag if stored else None))

    async def _let_go(self, stored: Stored[Alert]) -> Stored[Alert] | None:
        """Nobody asks for it any more: its destination or the threshold is gone."""
        after = next_state(stored.item, Verdict.CLEAR, None, self._clock())
        if after is None:
            await self._forget(stored)
            return None
        return await self._save(Stored(after, stored.etag))

    async def _save(self, stored: Stored[Alert]) -> Stored[Alert] | None:
        try:
            await self._store.alerts.save(stored)
        except ConflictError:  # another run was faster, and tells of it
            return None
        return stored

    async def _forget(self, stored: Stored[Alert] | None) -> None:
        if stored is not None and alert_state.outdated(stored.item, self._clock()):
            with suppress(ConflictError):
                await self._store.alerts.delete(stored)

    async def _tell(self, stored: Stored[Alert], subscriptions: list[AlertSubscription], outcome: AlertRun) -> None:
        while (event := stored.item.unannounced) is not None:
            alert = stored.item
            outcome.told.append({"event": str(event), **alert.to_json()})
            body = _body(alert, event)
            for subscription in subscriptions:
                if subscription.wants(alert):
                    await self._deliver(alert.event_id(event), subscription.id, body)
            stored.item = alert.model_copy(update={"announced": event})
            try:
                await self._store.alerts.save(stored)
            except ConflictError:  # another run tells of it, too, by the same rows
                return

    async def _deliver(self, event_id: str, subscription_id: str, body: str) -> None:
        """Row first, then its pointer: a pointer that is never put is missed by a later run."""
        now = self._clock()
        delivery = AlertDelivery(
            event_id=event_id, subscription_id=subscription_id, body=body, created_at=now, due_at=now
        )
        with suppress(ConflictError):  # a run before this one, or beside it
            await self._store.deliveries.save(Stored(delivery, None))
            await self._queue.put(DeliveryPointer(event_id, subscription_id, 1), 0)

    async def _look_after_deliveries(self) -> None:
        now = self._clock()
        for stored in await self._store.deliveries.all():
            delivery = stored.item
            with suppress(ConflictError):
                if alert_delivery.outdated(delivery, now):
                    await self._store.deliveries.delete(stored)
                elif overdue(delivery, now) and exhausted(delivery):
                    stored.item = given_up(delivery, "the last attempt was cut off")
                    await self._store.deliveries.save(stored)
                elif overdue(delivery, now):
                    next_attempt = delivery.attempts + 1
                    stored.item = delivery.model_copy(update={"due_at": now})
                    await self._store.deliveries.save(stored)
                    await self._queue.put(DeliveryPointer(delivery.event_id, delivery.subscription_id, next_attempt), 0)


def _wanted(
    destinations: Iterable[str], subscriptions: Iterable[AlertSubscription]
) -> Iterable[tuple[str, str, float]]:
    """Destination, rule and threshold of each alert that there may be: the usual ones, and those subscribed to."""
    thresholds: Mapping[str, set[float]] = defaultdict(set)
    for subscription in subscriptions:
        for rule_id in subscription.events:
            thresholds[rule_id].add(subscription.threshold(rule_id))
    for destination_id in destinations:
        for rule in RULES.values():
            for threshold in sorted({float(rule.threshold)} | thresholds[rule.id]):
                yield destination_id, rule.id, threshold


def _body(alert: Alert, event: AlertEvent) -> str:
    """As the alert was when it opened, also where it is over by then: the same text whenever it is told."""
    at = alert.opened_at if event == AlertEvent.OPENED else alert.resolved_at
    told = alert.model_copy(update={"resolved_at": 0}) if event == AlertEvent.OPENED else alert
    return cloud_event(alert.event_id(event), str(event), alert.destination_id, at, told.to_json())
