"""The alert of an identity that gets no new tokens: while the last ones are good, nothing else tells."""

from shared.domain.alerts.subscription import SubscriptionDetails
from shared.domain.instants import MINUTE
from shared.errors import NoSignInError
from shared.services.alerts.deliver import DeliveryOutcome
from shared.services.alerts.evaluate import AlertRun
from tests.kit.world import World


async def told(world: World) -> list[tuple[str, str, str]]:
    run = AlertRun()
    await world.worker.evaluate_alerts.run(run)
    return [(each["event"], each["destinationId"], each["severity"]) for each in run.told if each["rule"] == RULE]


RULE = "sign-in-failing"


async def test_what_cannot_be_signed_is_no_attempt() -> None:
    """For want of a token the secret is not read; however long that lasts, all attempts are left then."""
    world = World()
    await world.worker.alert_subscriptions.create(SubscriptionDetails(url="https://hooks.example.com/x"))
    world.sign_in_failing_since = world.clock.now - 60 * MINUTE
    await told(world)
    world.secrets.failure = NoSignInError("sign-in fails since noon")
    for _ in range(20):
        (waiting,) = world.alert_deliveries.waiting
        world.alert_deliveries.waiting.clear()
        await world.clock.sleep(waiting[1])
        assert await world.worker.deliver_alerts.handle(waiting[0]) == DeliveryOutcome.RETRYING
    (delivery,) = await world.worker.evaluate_alerts.deliveries()
    assert (delivery.attempts, delivery.error) == (0, "sign-in fails since noon")

    world.secrets.failure = None
    ((pointer, delay),) = world.alert_deliveries.waiting
    await world.clock.sleep(delay)
    assert await world.worker.deliver_alerts.handle(pointer) == DeliveryOutcome.DELIVERED


async def test_it_opens_after_ten_minutes_and_ends_with_the_next_token() -> None:
    world = World()
    assert await told(world) == []
    world.sign_in_failing_since = world.clock.now
    await world.clock.sleep(10 * 60)
    assert await told(world) == []
    await world.clock.sleep(1)
    assert await told(world) == [("opened", "*", "critical")]
    assert await told(world) == []
    world.sign_in_failing_since = None
    assert await told(world) == [("resolved", "*", "critical")]
