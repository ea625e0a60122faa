"""The alert of an identity that gets no new tokens: while the last ones are good, nothing else tells."""

from shared.services.alerts.evaluate import AlertRun
from tests.kit.world import World


async def told(world: World) -> list[tuple[str, str, str]]:
    run = AlertRun()
    await world.worker.evaluate_alerts.run(run)
    return [(each["event"], each["destinationId"], each["severity"]) for each in run.told if each["rule"] == RULE]


RULE = "sign-in-failing"


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
