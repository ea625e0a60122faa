"""Keys that expire are told of two weeks and two days before, where it is known that they do."""

import pytest

from shared.domain.alerts.key_ends import days_left, earliest, signature_end
from shared.domain.alerts.rule import Facts, RuleState
from shared.domain.alerts.rules import RULES
from shared.domain.configuration.model import Destination, SasAuthentication, SecretReference
from shared.domain.instants import DAY, MINUTE, SECOND, parse_instant
from shared.errors import SecretError
from shared.services.alerts.evaluate import AlertRun
from shared.services.alerts.key_expiries import LOOK_EVERY
from shared.settings import Settings
from tests.kit.app_settings import DEPLOYED
from tests.kit.builders import NOW
from tests.kit.console import Console
from tests.kit.world import SETTINGS, World

NAME = "profile-relay-d"
SIGNED = "TableEndpoint=https://relay.table.core.windows.net;QueueEndpoint=https://relay.queue.core.windows.net;"


async def connected(world: World, end: int | None) -> None:
    """The destination `d` has a key of its own, which expires then."""
    version = await world.secrets.store(NAME, "hush-hush")
    world.secrets.ends.clear()
    if end is not None:
        world.secrets.ends[NAME] = end
    stored = (await world.configuration.load()).configuration
    authentication = SasAuthentication(
        type="sas",
        namespace="contoso",
        key_name="send",
        secret=SecretReference(name=NAME, version=version),
    )

    def keyed(each: Destination) -> Destination:
        return each.model_copy(update={"authentication": authentication}) if each.id == "d" else each

    update = {"destinations": list(map(keyed, stored.destinations)), "revision": stored.revision + 1}
    world.configuration.put(stored.model_copy(update=update))


async def told(world: World, after_seconds: float = 120) -> list[tuple[str, str, str, str]]:
    await world.clock.sleep(after_seconds)
    run = AlertRun()
    await world.worker.evaluate_alerts.run(run)
    assert "hush" not in str(run.told)
    return [
        (each["event"], each["destinationId"], each["rule"], each["severity"])
        for each in run.told
        if each["rule"].startswith("key-")
    ]


WARNED = ("opened", "d", "key-expiring", "warning")
URGED = ("opened", "d", "key-expires-soon", "critical")


async def test_a_key_that_key_vault_lets_expire_is_told_of_twice_and_is_over_once_it_is_another() -> None:
    world = World()
    await connected(world, NOW + 15 * DAY)
    assert await told(world) == []
    assert await told(world, 86_400) == [WARNED]
    assert await told(world, 11 * 86_400) == []
    assert await told(world, 86_400) == [URGED]
    assert await told(world, 30 * 86_400) == []  # it has expired, and is told of still
    await connected(world, None)
    assert {each[:3] for each in await told(world)} == {
        ("resolved", "d", "key-expiring"),
        ("resolved", "d", "key-expires-soon"),
    }


async def test_a_key_is_looked_at_every_few_hours_and_one_that_cannot_be_is_left_alone_for_a_while() -> None:
    world = World()
    await connected(world, NOW + 3 * DAY)
    assert await told(world) == [WARNED]
    for _ in range(10):
        assert await told(world) == []
    assert world.secrets.reads == 1
    await told(world, LOOK_EVERY // SECOND)
    assert world.secrets.reads == 2

    world.secrets.failure = SecretError("Key Vault: HTTP 403")
    assert await told(world, LOOK_EVERY // SECOND) == []  # what is not known resolves nothing
    assert await told(world) == []
    assert world.secrets.reads == 3
    world.secrets.failure = None
    assert await told(world, 10 * MINUTE // SECOND) == []
    assert world.secrets.reads == 4


async def test_a_destination_without_a_key_of_its_own_asks_nobody() -> None:
    world = World()
    assert await told(world) == []
    assert world.secrets.reads == 0


async def test_a_signature_of_the_apps_storage_is_told_of_as_the_apps() -> None:
    end = "2026-01-20T00:00:00Z"
    storage = f"{SIGNED}SharedAccessSignature=sv=2024-08-04&se={end.replace(':', '%3A')}&sp=rwdlacu&sig=hush"
    world = World(settings=Settings.from_environment(dict(SETTINGS.environment) | {"RELAY_STORAGE": storage}))
    world.clock.now = parse_instant(end) - 15 * DAY
    assert await told(world) == []
    assert await told(world, 86_400) == [("opened", "*", "key-expiring", "warning")]


@pytest.mark.parametrize(
    ("signature", "end"),
    [
        ("sv=x&se=2026-12-01T10%3A00%3A00Z&sig=y", "2026-12-01T10:00:00Z"),
        ("?se=2026-12-01&sig=y", "2026-12-01T00:00:00Z"),
        ("se=2026-12-01T10:00Z", "2026-12-01T10:00:00Z"),
        ("se=soon", None),
        ("si=policy&sig=y", None),
    ],
)
def test_when_a_signature_ends(signature: str, end: str | None) -> None:
    wanted = end and parse_instant(end)
    assert signature_end(f"{SIGNED} SharedAccessSignature={signature}") == wanted
    assert signature_end(DEPLOYED["RELAY_STORAGE"]) is None


def test_what_is_left() -> None:
    assert [days_left(end, NOW) for end in (NOW + 36 * 60 * MINUTE, NOW - 1, NOW + 400 * DAY, None)] == [
        1.5,
        0,
        365,
        365,
    ]
    assert (earliest([None, 7, 5]), earliest([None])) == (5, None)


@pytest.mark.parametrize(
    ("rule", "days", "verdict"),
    [
        ("key-expiring", None, RuleState.UNKNOWN),
        ("key-expiring", 14, RuleState.CLEAR),
        ("key-expiring", 13.9, RuleState.FIRING),
        ("key-expires-soon", 2, RuleState.CLEAR),
        ("key-expires-soon", 0, RuleState.FIRING),
    ],
)
def test_the_rules_fire_below(rule: str, days: float | None, verdict: RuleState) -> None:
    assert RULES[rule].evaluate(Facts(key_days_left=days)) == verdict
    assert RULES[rule].evaluate(Facts(key_days_left=days), 0) != RuleState.FIRING


async def test_the_console_says_until_when_a_key_is_good_and_what_is_alerted() -> None:
    world = World()
    await connected(world, NOW + 12 * DAY + MINUTE)
    await told(world, 1)
    async with Console(world) as console:
        assert "The key expires in 12 d ." in await console.page("/console/destinations/d/settings")
        assert "expires" not in await console.page("/console/destinations/e/settings")
        assert "A key is about to expire: 12 days, less than 14 days" in await console.page("/console/destinations/d")
        assert "12 days less than 14 days" in await console.page("/console/alerts")
        assert "key-expiring, less than 14 days" in await console.page("/console/alerts/subscriptions")
