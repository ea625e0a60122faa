"""Whatever is wrong with the app itself is said by its API and on each page, to those who may see it."""

from typing import TypeVar

import pytest

from shared.domain.setting_problems import setting_problems
from shared.domain.timers import TIMERS
from shared.errors import SettingError
from shared.services.wiring import Services
from shared.settings import Settings
from shared.web.app import create_app
from shared.web.health import UNNAMED
from shared.web.permissions import Permission
from tests.kit.api import Api
from tests.kit.app_settings import DEPLOYED
from tests.kit.console import Console
from tests.kit.world import World

Client = TypeVar("Client", bound=Api)
WRONG = {"PROFILE_CHANGES_QUEUE": "", "ALERT_SCHEDULE": "often", "TZ": "Asia/Tokyo"}
OTHERS = [each for each in Permission if each is not Permission.MANAGE_DESTINATIONS]


class WronglySet:
    """An app that has these settings, and cannot be built where it needs one of them."""

    def __init__(self, world: World, environment: dict[str, str], broken: tuple[str, ...] = ()) -> None:
        async def services() -> Services:
            Settings.from_environment(environment)
            return world.worker

        problems = setting_problems(environment)
        self.app = create_app(
            services,
            app_service_authentication=True,
            setting_problems=problems,
            broken_packages=lambda: broken,
        )

    def of(self, client: Client) -> Client:
        client._transport.app = self.app  # type: ignore[attr-defined]
        return client


@pytest.fixture
async def world() -> World:
    world = World(settings=Settings.from_environment(DEPLOYED))
    for timer in TIMERS:
        await world.worker.timers.ran(timer)
    return world


async def test_an_app_that_can_work_says_so_with_when_its_timers_ran(world: World) -> None:
    async with WronglySet(world, DEPLOYED | {"TZ": "Asia/Tokyo"}).of(Api(world)) as api:
        health = await api.expect(200, "GET", "/api/health")
    assert [(each["setting"], each["stops"]) for each in health["settings"]] == [("TZ", "")]
    assert {each["name"]: each["overdueSeconds"] for each in health["timers"]} == dict.fromkeys(TIMERS, 0)
    assert {each["lastRunAt"] for each in health["timers"]} == {"2026-01-11T22:00:00Z"}


async def test_each_setting_that_stops_a_function_is_named_with_it(world: World) -> None:
    async with WronglySet(world, DEPLOYED | WRONG).of(Api(world)) as api:
        problem = await api.expect(503, "GET", "/api/health")
        assert await api.expect(200, "GET", "/api/destinations")
    assert [line.partition(":")[0] for line in problem["errors"]] == [
        "app setting PROFILE_CHANGES_QUEUE",
        "app setting ALERT_SCHEDULE",
    ]
    assert problem["errors"][0].endswith("(stops export_profile_changes)")
    assert problem["detail"] == problem["errors"][0]


async def test_one_that_stops_the_app_is_named_by_every_route(world: World) -> None:
    app = WronglySet(world, DEPLOYED | {"RETRY_DELAYS": "abc"})
    async with app.of(Api(world)) as api:
        for path in ("/api/destinations", "/api/health", "/api/queues"):
            problem = await api.expect(503, "GET", path)
            assert problem["detail"].startswith("app setting RETRY_DELAYS: expected seconds")
        assert len((await api.expect(503, "GET", "/api/health"))["errors"]) == 1
        await api.expect(503, "PUT", "/api/audiences/a", json={"name": "A"})
    async with app.of(Console(world)) as console:
        assert "App setting RETRY_DELAYS: expected seconds" in await console.page("/console", 503)


async def test_names_of_settings_are_for_those_who_manage_destinations(world: World) -> None:
    app = WronglySet(world, DEPLOYED | {"RETRY_DELAYS": "abc"})
    async with app.of(Api(world, OTHERS)) as api:
        await api.expect(403, "GET", "/api/health")
        assert (await api.expect(503, "GET", "/api/audiences"))["detail"] == UNNAMED
    async with app.of(Api(world, None)) as nobody:
        await nobody.expect(401, "GET", "/api/health")
    async with app.of(Console(world, OTHERS)) as console:
        page = await console.page("/console/quarantine", 503)
        assert UNNAMED in page
        assert "RETRY_DELAYS" not in page
    async with app.of(Console(world, None)) as nobody:
        assert UNNAMED not in (await nobody.get("/console")).text


async def test_each_page_names_setting_and_function(world: World) -> None:
    async with WronglySet(world, DEPLOYED | WRONG).of(Console(world)) as console:
        for path in ("/console", "/console/alerts", "/console/quarantine", "/console/why"):
            page = await console.page(path)
            assert "App setting PROFILE_CHANGES_QUEUE" in page
            assert "stops export_profile_changes" in page
            assert "stops evaluate_alerts" in page
            assert "App setting TZ" not in page


async def test_a_timer_that_has_stopped_is_named_everywhere_and_told_of_without_traffic(world: World) -> None:
    async with WronglySet(world, DEPLOYED).of(Console(world)) as console:
        assert "data-banner" not in (await console.get("/console")).text
        await world.clock.sleep(600)
        assert "Timer watch_destinations: no run since 2026-01-11T22:00:00Z" in await console.page("/console")
    async with WronglySet(world, DEPLOYED).of(Api(world)) as api:
        errors = (await api.expect(503, "GET", "/api/health"))["errors"]
        assert {line.partition(":")[0] for line in errors} == {
            f"timer {timer}" for timer in TIMERS if timer != "sweep_profiles"
        }
        alerts = (await api.expect(200, "GET", "/api/alerts"))["alerts"]
    assert {alert["rule"] for alert in alerts} == {
        "watch-destinations-overdue",
        "drain-poison-queues-overdue",
        "run-backfill-overdue",
        "evaluate-alerts-overdue",
    }
    async with Console(world) as console:
        assert "the app itself" in await console.page("/console/alerts")


async def test_a_package_that_does_not_load_is_named(world: World) -> None:
    async with WronglySet(world, DEPLOYED, ("module shared.x does not load: y",)).of(Api(world)) as api:
        assert (await api.expect(503, "GET", "/api/health"))["errors"] == ["module shared.x does not load: y"]


def test_a_setting_error_names_its_setting() -> None:
    with pytest.raises(SettingError) as error:
        Settings.from_environment({"RETRY_DELAYS": "abc"})
    assert error.value.setting == "RETRY_DELAYS"
