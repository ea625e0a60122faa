"""Opens and resolves alerts, and lets those who subscribed hear of it.

An event is told of in three steps, each of which may be repeated: the alert's row says what is to be told, a row for
each delivery is added, the alert's row says that it was. A run that ends in between is finished by the next.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.domain.alerts.alert import Alert, AlertEvent, AlertView, alert_key, alert_outdated, next_state
from shared.domain.alerts.delivery import AlertDelivery, delivery_outdated, delivery_overdue, exhausted, given_up
from shared.domain.alerts.rule import THE_APP, Facts, RuleState
from shared.domain.alerts.rules import RULES
from shared.domain.alerts.subscription import AlertSubscription
from shared.domain.alerts.webhooks import cloud_event
from shared.domain.messages.pointers import DeliveryPointer
from shared.errors import ConflictError
from shared.ports.alerts import AlertStore, DeliveryQueue, Stored
from shared.ports.runs import MetricSink
from shared.ports.time import Clock
from shared.services.alerts.facts import AlertFacts
from shared.services.configuration.cache import ConfigurationCache


@dataclass(slots=True)
class AlertRun:
    """What one run told of, as plain JSON: each event at least once, however often runs end early."""

    told: list[dict[str, Any]] = field(default_factory=list)


class _Wanted(NamedTuple):
    destination_id: str
    rule_id: str
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateAlerts:
    configuration: ConfigurationCache
    facts: AlertFacts
    store: AlertStore
    queue: DeliveryQueue
    metrics: MetricSink
    clock: Clock
    new_id: Callable[[], str]

    async def run(self, outcome: AlertRun) -> None:
        """Judge every destination and the app, and note in `outcome` what was told of. Raises StorageError."""
        targets = (await self.configuration.current()).targets.by_id
        destinations = sorted(targets)
        subscriptions = [stored.item for stored in await self.store.subscriptions.all()]
        alerts = {stored.item.key: stored for stored in await self.store.alerts.all()}
        for left in alerts.values():
            await self._tell(left, subscriptions, outcome)  # what a run before this one left
        facts = await self.facts.of([targets[each].destination for each in destinations]) | {
            THE_APP: await self.facts.of_the_app()
        }
        wanted = {alert_key(*each): each for each in _wanted(destinations, subscriptions)}
        for key in dict.fromkeys((*wanted, *alerts)):
            stored = alerts.get(key)
            after = self._judged(stored.item if stored else None, wanted.get(key), facts)
            if after is None:
                await self._forget(stored)
            elif (saved := await self._saved(Stored(after, stored.etag if stored else None))) is not None:
                alerts[key] = saved
                await self._tell(saved, subscriptions, outcome)
        self.metrics.publish_alerts(stored.item for stored in alerts.values())
        await self._look_after_deliveries()

    async def alerts(self) -> list[Alert]:
        """The latest alert of each kind: those that are open first, then the latest resolved. Raises StorageError."""
        found = [stored.item for stored in await self.store.alerts.all()]
        return sorted(found, key=lambda alert: (alert.resolved_at > 0, -alert.resolved_at, -alert.opened_at))

    async def deliveries(self) -> list[AlertDelivery]:
        """The latest first. Raises StorageError."""
        found = [stored.item for stored in await self.store.deliveries.all()]
        return sorted(found, key=lambda delivery: -delivery.created_at)

    def _judged(self, current: Alert | None, wanted: _Wanted | None, facts: Mapping[str, Facts]) -> Alert | None:
        """What becomes of the alert; None where that is nothing new.

        One that is not wanted any more, for its destination or the threshold is gone, is over.
        """
        value, verdict, now = None, RuleState.CLEAR, self.clock()
        if wanted is not None:
            rule, known = RULES[wanted.rule_id], facts[wanted.destination_id]
            value, verdict = rule.measure(known), rule.evaluate(known, wanted.threshold)
        if current is not None and not current.resolved_at:
            return next_state(current, verdict, value, now)
        if wanted is None or value is None or verdict != RuleState.FIRING:
            return None
        return Alert(
            id=self.new_id(),
            destination_id=wanted.destination_id,
            rule=wanted.rule_id,
            threshold=wanted.threshold,
            value=value,
            opened_at=now,
        )

    async def _saved(self, stored: Stored[Alert]) -> Stored[Alert] | None:
        try:
            await self.store.alerts.save(stored)
        except ConflictError:  # another run was faster, and tells of it
            return None
        return stored

    async def _forget(self, stored: Stored[Alert] | None) -> None:
        if stored is not None and alert_outdated(stored.item, self.clock()):
            with suppress(ConflictError):
                await self.store.alerts.delete(stored)

    async def _tell(self, stored: Stored[Alert], subscriptions: list[AlertSubscription], outcome: AlertRun) -> None:
        while (event := stored.item.unannounced) is not None:
            alert = stored.item
            outcome.told.append({"event": str(event), **AlertView.of(alert).model_dump(by_alias=True)})
            body = _body(alert, event)
            for subscription in subscriptions:
                if subscription.wants(alert):
                    await self._deliver(alert.event_id(event), subscription.id, body)
            stored.item = alert.model_copy(update={"announced": event})
            try:
                await self.store.alerts.save(stored)
            except ConflictError:  # another run tells of it, too, by the same rows
                return

    async def _deliver(self, event_id: str, subscription_id: str, body: str) -> None:
        """Row first, then its pointer: a pointer that is never put is missed by a later run."""
        now = self.clock()
        delivery = AlertDelivery(
            event_id=event_id, subscription_id=subscription_id, body=body, created_at=now, due_at=now
        )
        with suppress(ConflictError):  # a run before this one, or beside it
            await self.store.deliveries.save(Stored(delivery, None))
            await self.queue.put(DeliveryPointer(event_id, subscription_id, 1), 0)

    async def _look_after_deliveries(self) -> None:
        now = self.clock()
        for stored in await self.store.deliveries.all():
            delivery = stored.item
            with suppress(ConflictError):
                if delivery_outdated(delivery, now):
                    await self.store.deliveries.delete(stored)
                elif delivery_overdue(delivery, now) and exhausted(delivery):
                    stored.item = given_up(delivery, "the last attempt was cut off")
                    await self.store.deliveries.save(stored)
                elif delivery_overdue(delivery, now):
                    next_attempt = delivery.attempts + 1
                    stored.item = delivery.model_copy(update={"due_at": now})
                    await self.store.deliveries.save(stored)
                    await self.queue.put(DeliveryPointer(delivery.event_id, delivery.subscription_id, next_attempt), 0)


def _wanted(destinations: Iterable[str], subscriptions: Iterable[AlertSubscription]) -> Iterable[_Wanted]:
    """Each alert that there may be: by the usual thresholds, and by those subscribed to."""
    thresholds: Mapping[str, set[float]] = defaultdict(set)
    for subscription in subscriptions:
        for rule_id in subscription.events:
            thresholds[rule_id].add(subscription.threshold(rule_id))
    for subject in (*destinations, THE_APP):
        for rule in RULES.values():
            if rule.concerns(subject):
                for threshold in sorted({float(rule.threshold)} | thresholds[rule.id]):
                    yield _Wanted(subject, rule.id, threshold)


def _body(alert: Alert, event: AlertEvent) -> str:
    """As the alert was when it opened, also where it is over by then: the same text whenever it is told."""
    at = alert.opened_at if event == AlertEvent.OPENED else alert.resolved_at
    told = alert.model_copy(update={"resolved_at": 0}) if event == AlertEvent.OPENED else alert
    data = AlertView.of(told).model_dump(by_alias=True)
    return cloud_event(alert.event_id(event), str(event), alert.destination_id, at, data)
