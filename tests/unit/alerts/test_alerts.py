"""Alerts open once and resolve once, whatever is repeated or cut off, and whoever subscribed hears of each once."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.delivery import PATIENCE, RETRY_DELAYS
from shared.domain.alerts.subscription import SubscriptionDetails, webhook_secret_name
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.instants import DAY, MINUTE, SECOND
from shared.domain.messages.pointers import DeliveryPointer
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.runs import SLOT, RunCounts, RunSlot, slot_of
from shared.errors import StorageError
from shared.ports.alerts import WebhookAnswer
from shared.ports.backfills import StoredBackfill
from shared.ports.health import DestinationTrouble
from shared.ports.undelivered import StoredUndelivered, UndeliveredCount
from shared.services.alerts.deliver import DeliveryOutcome
from shared.services.alerts.evaluate import AlertRun
from shared.services.alerts.subscriptions import AlertSubscriptions, CreatedSubscription
from shared.views.alerts import AlertDeliveryView
from tests.kit.builders import NOW, configuration
from tests.kit.world import CACHE_SECONDS, DOCUMENT, World

URL = "https://hooks.example.com/x"
REFUSED = WebhookAnswer(500, "HTTP 500")


@pytest.fixture
def world() -> World:
    return World()


async def subscribe(world: World, **details: Any) -> CreatedSubscription:
    return await world.worker.alert_subscriptions.create(SubscriptionDetails(url=URL, **details))


async def down(world: World, destination_id: str = "d") -> None:
    await world.health.put(DestinationTrouble(destination_id, recovering=False, since=world.clock(), error="down"))


async def up(world: World, destination_id: str = "d") -> None:
    await world.health.put(DestinationTrouble(destination_id, recovering=True, since=world.clock(), error="down"))


async def count(world: World, at: int, counts: RunCounts, activated: int = 0, *seconds: int) -> None:
    """What an instance has counted of d in the slot of that instant: exports too, some of which took so long."""
    counts.activated["audience"] = activated
    for each in seconds:
        counts.latency.add(each * SECOND)
    await world.runs.put("d", RunSlot(slot_of(at), counts), "instance")


async def evaluate(world: World, after_seconds: float = 20) -> list[tuple[str, str, str]]:
    """One run of the timer: what it told of."""
    await world.clock.sleep(after_seconds)
    outcome = AlertRun()
    await world.worker.evaluate_alerts.run(outcome)
    return [(told["event"], told["destinationId"], told["rule"]) for told in outcome.told]


async def deliver(world: World) -> list[DeliveryOutcome]:
    """Every pointer there is, and those that follow."""
    outcomes = []
    while world.alert_deliveries.waiting:
        pointer, delay = world.alert_deliveries.waiting.pop(0)
        await world.clock.sleep(delay)
        outcomes.append(await world.worker.deliver_alerts.handle(pointer))
    return outcomes


def posted(world: World) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in world.webhooks.posted]


async def test_a_destination_goes_down_and_answers_again(world: World) -> None:
    await subscribe(world)
    assert await evaluate(world) == []
    await down(world)
    assert world.metrics.alerts == []
    assert await evaluate(world) == [("opened", "d", "destination-down")]
    for _ in range(2):
        assert world.metrics.alerts == [("d", "destination-down", True)]
        assert await evaluate(world) == []
    await up(world)
    assert await evaluate(world) == [("resolved", "d", "destination-down")]
    for _ in range(2):
        assert world.metrics.alerts == [("d", "destination-down", False)]
        assert await evaluate(world) == []
    assert await deliver(world) == [DeliveryOutcome.DELIVERED] * 2
    opened, resolved = posted(world)
    assert (opened["type"], resolved["type"]) == ("profile-relay.alert.opened", "profile-relay.alert.resolved")
    assert (opened["data"]["state"], resolved["data"]["state"]) == ("open", "resolved")
    assert (opened["data"]["unit"], opened["data"]["value"], opened["data"]["threshold"]) == ("seconds", 20, 0)
    assert [each["data"]["severity"] for each in (opened, resolved)] == ["critical"] * 2
    assert opened["data"]["id"] == resolved["data"]["id"]
    (alert,) = await world.worker.evaluate_alerts.alerts()
    assert alert.resolved_at > alert.opened_at
    await down(world)
    assert await evaluate(world) == [("opened", "d", "destination-down")]
    await deliver(world)
    assert posted(world)[2]["data"]["id"] != opened["data"]["id"]


async def test_what_every_fact_opens(world: World) -> None:
    row = Undelivered("d", "p", UndeliveredState.DEAD, 1, ("audience",), NOW, 3, NOW, NOW, "no")
    await world.undelivered.save(StoredUndelivered(row, None))
    at = NOW + 3_601 * SECOND
    latency = RunCounts().latency
    latency.add(9_000 * SECOND)
    await count(world, at - 2 * SLOT, RunCounts(dead=100))
    await count(world, at - SLOT, RunCounts(parked=2), 5, 9_000)
    await count(world, at, RunCounts(failed=3))
    running, done = BackfillState.RUNNING, BackfillState.DONE
    backfills = [
        (BackfillKind.BACKFILL, running, "e", 0),
        (BackfillKind.BACKFILL, running, "e", 30),
        (BackfillKind.BACKFILL, done, "d", 0),
        (BackfillKind.SWEEP, running, "", 0),
    ]
    for number, (kind, state, destination_id, minutes) in enumerate(backfills):
        backfill = Backfill(str(number), kind, state, NOW, NOW, destination_id, started_at=NOW + minutes * MINUTE)
        await world.backfills.save(StoredBackfill(backfill, None))
    assert await evaluate(world, 3_601) == [
        ("opened", "d", "dead-rows"),
        ("opened", "d", "activation-skipped"),
        ("opened", "d", "failure-rate"),
        ("opened", "d", "slow-exports"),
        ("opened", "e", "long-backfill"),
    ]
    values = {alert.rule: alert.value for alert in await world.worker.evaluate_alerts.alerts()}
    assert values == {
        "dead-rows": 1,
        "activation-skipped": 0.5,
        "failure-rate": 3 / 8,
        "slow-exports": (latency.quantile(0.95) or 0) / SECOND,
        "long-backfill": 3_601,
    }


async def test_messages_that_failed_at_every_delivery_are_told_of_from_the_first_one(world: World) -> None:
    """Once for the app, to those who chose no destinations; also where they are put back before anybody looks."""
    everything, other = await subscribe(world), await subscribe(world, destinations=["d"])
    world.poison_queues.put(QueueKind.CHANGES, b"{}")
    await world.worker.drain_poison_queues.run()
    assert await evaluate(world) == [("opened", "*", "poison-messages")]
    assert await evaluate(world) == []
    assert world.metrics.alerts == [("*", "poison-messages", True)]
    assert await deliver(world) == [DeliveryOutcome.DELIVERED]
    (told,) = posted(world)
    assert (told["subject"], told["data"]["destinationId"], told["data"]["value"]) == ("*", "*", 1)
    assert everything.subscription.id != other.subscription.id
    assert await evaluate(world, 3_600) == [("resolved", "*", "poison-messages")]


async def test_messages_that_wait_on_a_poison_queue_are_told_of_as_long_as_they_do(world: World) -> None:
    for kind in (QueueKind.CHANGES, QueueKind.ALERTS):
        world.queues.put(kind, poison=True, messages=2)
    assert await evaluate(world) == [("opened", "*", "poison-messages")]
    assert await evaluate(world, 7 * 24 * 3_600) == []
    (alert,) = await world.worker.evaluate_alerts.alerts()
    assert alert.value == 4
    world.queues.failure = StorageError("no answer")
    assert await evaluate(world) == []
    world.queues.failure = None
    world.queues.waiting = {}
    assert await evaluate(world) == [("resolved", "*", "poison-messages")]


async def test_one_poison_queue_that_is_not_counted_resolves_nothing(world: World) -> None:
    world.queues.put(QueueKind.CHANGES, poison=True, messages=2)
    assert await evaluate(world) == [("opened", "*", "poison-messages")]
    world.queues.waiting = {}
    world.queues.unknown[QueueKind.CHANGES, True] = "no answer"
    assert await evaluate(world) == []
    world.queues.unknown = {}
    assert await evaluate(world) == [("resolved", "*", "poison-messages")]


async def test_what_is_unknown_neither_opens_nor_resolves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await count(world, NOW, RunCounts(dead=1))
    await down(world)
    assert len(await evaluate(world)) == 2
    await count(world, NOW, RunCounts())

    async def fail(*_: Any) -> Any:
        raise StorageError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(world.health, "load", fail)
        broken.setattr(world.undelivered, "count", fail)
        broken.setattr(world.runs, "read", fail)
        assert await evaluate(world, 1) == []  # the configuration is cached
    await up(world)
    assert len(await evaluate(world)) == 2


@pytest.mark.parametrize(("dead", "complete", "state"), [(0, False, "open"), (0, True, "resolved"), (1, False, "open")])
async def test_dead_rows_among_too_many_to_count(
    world: World, monkeypatch: pytest.MonkeyPatch, dead: int, complete: bool, state: str
) -> None:
    found = {"d": UndeliveredCount({"parked": 9, "dead": 1}, complete=False)}

    async def count(destination_id: str, _: int) -> UndeliveredCount:
        return found.get(destination_id, UndeliveredCount({}, complete=True))

    monkeypatch.setattr(world.undelivered, "count", count)
    await evaluate(world)
    found["d"] = UndeliveredCount({"parked": 9, "dead": dead}, complete=complete)
    await evaluate(world)
    (alert,) = await world.worker.evaluate_alerts.alerts()
    assert AlertView.of(alert).state == state


async def test_thresholds_of_a_subscription_are_its_own(world: World) -> None:
    patient = await subscribe(world, events=["dead-rows"], thresholds={"dead-rows": 2})
    usual = await subscribe(world, events=["dead-rows", "slow-exports"])
    other = await subscribe(world, destinations=["e"])

    async def dead(number: int) -> None:
        row = Undelivered("d", f"p{number}", UndeliveredState.DEAD, 1, ("audience",), NOW, 3, NOW, NOW, "no")
        await world.undelivered.save(StoredUndelivered(row, None))

    await dead(0)
    assert len(await evaluate(world)) == 1
    await dead(1)
    assert await evaluate(world) == []
    await dead(2)
    assert len(await evaluate(world)) == 1
    told = Counter(pointer.subscription_id for pointer, _ in world.alert_deliveries.waiting)
    assert told == {patient.subscription.id: 1, usual.subscription.id: 1}
    assert other.subscription.id not in told
    await world.worker.alert_subscriptions.delete(patient.subscription.id, lambda _: None)
    assert await evaluate(world) == [("resolved", "d", "dead-rows")]  # nobody asks by that threshold any more
    thresholds = [(alert.threshold, alert.resolved_at > 0) for alert in await world.worker.evaluate_alerts.alerts()]
    assert thresholds == [(0, False), (2, True)]


async def test_an_alert_of_a_destination_that_is_removed_is_over(world: World) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    only_e = {"destinations": DOCUMENT["destinations"][1:], "dataflows": DOCUMENT["dataflows"][1:]}
    world.configuration.put(configuration(only_e).model_copy(update={"revision": 99}))
    assert await evaluate(world, CACHE_SECONDS) == [("resolved", "d", "destination-down")]
    assert world.metrics.alerts == [("d", "destination-down", False)]
    await deliver(world)
    assert [event["data"]["state"] for event in posted(world)] == ["open", "resolved"]


async def test_runs_side_by_side_tell_once(world: World) -> None:
    await subscribe(world)
    for turn in (down, up):
        await turn(world)
        await asyncio.gather(*(world.new_worker().evaluate_alerts.run(AlertRun()) for _ in range(4)))
        await evaluate(world)
    await deliver(world)
    assert [event["type"].rpartition(".")[2] for event in posted(world)] == ["opened", "resolved"]


class Killed(BaseException):
    """The process ends."""


@pytest.mark.parametrize("survived", range(16))
async def test_a_run_that_ends_early_is_finished_by_the_next(world: World, survived: int) -> None:
    """Whichever request to storage the process does not survive, in each of the runs that open and resolve."""
    await subscribe(world)

    async def interrupted() -> bool:
        requests = iter(range(survived))

        def die(_: str) -> None:
            if next(requests, None) is None:
                raise Killed

        world.alerts.before = die
        try:
            await evaluate(world)
        except Killed:
            return True
        finally:
            world.alerts.before = lambda _: None
        return False

    cut_off = []
    for turn in (down, up):
        await turn(world)
        cut_off.append(await interrupted())
        await evaluate(world)
        await evaluate(world, PATIENCE / SECOND)
        await deliver(world)
    if survived < 5:
        assert cut_off == [True, True]
    assert [event["type"].rpartition(".")[2] for event in posted(world)] == ["opened", "resolved"]
    assert len({event["id"] for event in posted(world)}) == 2


@pytest.mark.parametrize("survived", range(4))
async def test_a_delivery_that_is_cut_off_is_made_again(world: World, survived: int) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    (pointer, _), *rest = world.alert_deliveries.waiting
    assert rest == []
    requests = iter(range(survived))

    def die(_: str) -> None:
        if next(requests, None) is None:
            raise Killed

    world.alerts.before = die
    with pytest.raises(Killed):
        await world.worker.deliver_alerts.handle(pointer)
    world.alerts.before = lambda _: None
    sent_before = len(world.webhooks.posted)
    assert sent_before == (survived == 3)  # only a kill after the sending can double it
    await deliver(world)
    await evaluate(world, 3 * 60)
    await deliver(world)
    assert len(world.webhooks.posted) == 1 + sent_before
    assert len({headers["webhook-id"] for _, headers, _ in world.webhooks.posted}) == 1
    (delivery,) = await world.worker.evaluate_alerts.deliveries()
    assert delivery.state == "delivered"


async def test_a_pointer_that_comes_twice_sends_once(world: World) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    (pointer, _) = world.alert_deliveries.waiting.pop()
    outcomes = await asyncio.gather(*(world.new_worker().deliver_alerts.handle(pointer) for _ in range(3)))
    assert Counter(outcomes) == {DeliveryOutcome.DELIVERED: 1, DeliveryOutcome.OUTDATED: 2}
    assert len(world.webhooks.posted) == 1


async def test_a_pointer_that_is_behind_or_ahead_sends_nothing(world: World) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    world.webhooks.answers = [REFUSED] * 2
    (first, _) = world.alert_deliveries.waiting.pop()
    assert await world.worker.deliver_alerts.handle(first) == DeliveryOutcome.RETRYING
    ((second, _),) = world.alert_deliveries.waiting
    assert second == replace(first, attempt=2)
    for attempt in (0, 1, 3):
        pointer = replace(first, attempt=attempt)
        assert await world.worker.deliver_alerts.handle(pointer) == DeliveryOutcome.OUTDATED
    assert len(world.webhooks.posted) == 1
    assert await world.worker.deliver_alerts.handle(second) == DeliveryOutcome.RETRYING


async def test_a_delivery_is_retried_then_given_up(world: World) -> None:
    created = await subscribe(world)
    await down(world)
    await evaluate(world)
    world.webhooks.answers = [REFUSED, WebhookAnswer(None, "no answer within 10 s"), REFUSED, WebhookAnswer(503, "x")]
    began = world.clock()
    assert await deliver(world) == [DeliveryOutcome.RETRYING] * 3 + [DeliveryOutcome.FAILED]
    assert world.clock() - began == sum(RETRY_DELAYS) * SECOND
    assert list(RETRY_DELAYS) == [15, 60, 300]
    (delivery,) = await world.worker.evaluate_alerts.deliveries()
    assert AlertDeliveryView.model_validate(delivery).document() | {"lastAttemptAt": ""} == {
        "eventId": delivery.event_id,
        "subscriptionId": created.subscription.id,
        "state": "failed",
        "attempts": 4,
        "lastAttemptAt": "",
        "error": "x",
    }
    assert len({(url, headers["webhook-id"], body) for url, headers, body in world.webhooks.posted}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in world.webhooks.posted}) == 4
    assert await evaluate(world, 3_600) == []
    assert world.alert_deliveries.waiting == []


async def test_a_last_attempt_that_was_cut_off_is_the_last(world: World) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    world.webhooks.answers = [REFUSED] * 3
    for _ in range(3):
        pointer, delay = world.alert_deliveries.waiting.pop()
        await world.clock.sleep(delay)
        await world.worker.deliver_alerts.handle(pointer)
    world.alert_deliveries.waiting.clear()
    (stored,) = await world.alerts.deliveries.all()
    stored.item = stored.item.model_copy(update={"attempts": 4})
    await world.alerts.deliveries.save(stored)
    await evaluate(world, 3_600)
    (delivery,) = await world.worker.evaluate_alerts.deliveries()
    assert (delivery.state, delivery.error) == ("failed", "the last attempt was cut off")
    assert world.alert_deliveries.waiting == []


async def test_what_keeps_an_event_from_being_sent(world: World) -> None:
    created = await subscribe(world)
    subscription_id = created.subscription.id
    await down(world)
    await evaluate(world)
    del world.secrets.secrets[webhook_secret_name(subscription_id)]
    (pointer, _) = world.alert_deliveries.waiting.pop()
    assert await world.worker.deliver_alerts.handle(pointer) == DeliveryOutcome.RETRYING
    await world.worker.alert_subscriptions.delete(subscription_id, lambda _: None)
    assert await deliver(world) == [DeliveryOutcome.FAILED]
    (delivery,) = await world.worker.evaluate_alerts.deliveries()
    assert delivery.error == "the subscription is gone"
    assert await world.worker.deliver_alerts.handle(DeliveryPointer("x", "y", 1)) == DeliveryOutcome.OUTDATED
    assert world.webhooks.posted == []


async def test_what_is_poisoned_is_given_up_once(world: World) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    (pointer, _) = world.alert_deliveries.waiting.pop()
    await world.worker.deliver_alerts.give_up(pointer)
    (delivery,) = await world.worker.evaluate_alerts.deliveries()
    assert (delivery.state, delivery.attempts) == ("failed", 0)
    assert await world.worker.deliver_alerts.handle(pointer) == DeliveryOutcome.OUTDATED
    await world.worker.deliver_alerts.give_up(DeliveryPointer("x", "y", 1))
    await up(world)
    await evaluate(world)
    (pointer, _) = world.alert_deliveries.waiting[0]
    assert await deliver(world) == [DeliveryOutcome.DELIVERED]
    await world.worker.deliver_alerts.give_up(pointer)  # a copy of the pointer that came too late
    assert [each.state for each in await world.worker.evaluate_alerts.deliveries()] == ["delivered", "failed"]


async def test_what_is_over_is_forgotten(world: World) -> None:
    await subscribe(world)
    await down(world)
    await evaluate(world)
    await up(world)
    await evaluate(world)
    await deliver(world)
    kept = []
    for days in (6.9, 0.2, 22.8, 0.2):
        await evaluate(world, days * DAY / SECOND)
        kept.append((len(world.alerts.alerts.rows), len(world.alerts.deliveries.rows)))
    assert kept == [(1, 2), (1, 0), (1, 0), (0, 0)]


async def test_a_secret_is_told_once_and_shown_nowhere(world: World) -> None:
    service = AlertSubscriptions(
        store=world.alerts,
        secrets=world.secrets,
        deliver=world.worker.deliver_alerts,
        clock=world.clock,
        new_id=lambda: "s",
        local=False,
        new_key=lambda size: bytes(size),
    )
    created = await service.create(SubscriptionDetails(url=URL))
    assert created.secret == f"whsec_{'A' * 43}="
    assert created.secret not in repr(created)
    assert await world.secrets.read("profile-relay--alert-s") == created.secret
    assert created.secret not in str(await world.alerts.subscriptions.all())
