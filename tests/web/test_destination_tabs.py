"""A destination's pages: what leads to which, for whom, and how little each asks of storage."""

import inspect
import re
from collections import Counter
from collections.abc import Set
from dataclasses import fields
from typing import Any

import pytest

from shared.domain.instants import MINUTE, SECOND
from shared.ports.health import DestinationTrouble
from shared.services.alerts.evaluate import AlertRun
from shared.web.console.destination_page import TABS, address
from shared.web.permissions import Permission
from tests.kit.builders import configuration, destination, item, membership
from tests.kit.console import Console, text_of
from tests.kit.world import World

PAGE = "/console/destinations/d"
ALL = frozenset(Permission)


def tabs_of(page: str) -> dict[str, bool]:
    """The names of the tabs, and whether each is that of the page."""
    (tabs,) = re.findall(r'<nav class="tabs".*?</nav>', page, re.DOTALL)
    return {name: bool(current) for current, name in re.findall(r"<a [^>]*?(aria-current=[^>]*)?>([^<]*)</a>", tabs)}


@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.label)
async def test_each_page_leads_to_the_others_and_says_which_it_is(console: Console, tab: Any) -> None:
    page = (await console.get(address("d", tab))).text
    assert tabs_of(page) == {each.label: each is tab for each in TABS}
    assert (page.count("<h1"), page.count('aria-current="page"')) == (1, 2)
    assert re.search(rf"<title>{tab.label} · D ·", page)


@pytest.mark.parametrize("below", ["edit", "connection"])
async def test_what_is_below_the_settings_belongs_to_them(console: Console, below: str) -> None:
    page = (await console.get(f"{PAGE}/{below}")).text
    assert [name for name, here in tabs_of(page).items() if here] == ["Settings"]


@pytest.mark.parametrize(
    ("permissions", "page", "labels"),
    [
        ({Permission.MANAGE_DESTINATIONS}, "settings", ["Settings"]),
        ({Permission.VIEW_SEGMENTS}, "contract", ["For consumers"]),
        ({Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS}, "settings", [each.label for each in TABS]),
    ],
)
async def test_tabs_are_those_that_open(
    world: World, permissions: Set[Permission], page: str, labels: list[str]
) -> None:
    async with Console(world, permissions) as console:
        text = (await console.get(f"{PAGE}/{page}")).text
        assert list(tabs_of(text)) == labels
        for path in re.findall(rf'href="({PAGE}[a-z/]*)"', text):
            text_of(await console.get(path))


async def test_pausing_asks_once_and_says_what_resuming_will_do(console: Console) -> None:
    overview = (await console.get(PAGE)).text
    assert f'href="{PAGE}/pause"' in overview
    assert "<form" not in overview
    told = "Resuming exports each profile that changed meanwhile once"
    asked = await console.page(f"{PAGE}/pause")
    assert "Pause D?" in asked
    assert told in asked
    assert console.world.audit.entries == {}
    await console.submit(f"{PAGE}/pause")
    console.world.clock.now += 5 * MINUTE
    paused = await console.page(PAGE)
    assert "Paused for 5 min . Nothing is exported, and nothing is lost." in paused
    assert told in paused
    await console.submit(f"{PAGE}/resume")
    assert "Paused" not in await console.page(PAGE)


async def test_what_has_no_dataflow_cannot_be_paused_and_says_what_comes_next(console: Console) -> None:
    stored = (await console.world.configuration.load()).configuration
    console.world.configuration.put(stored.model_copy(update={"dataflows": []}))
    assert "Nothing is exported yet The hub is connected. Map audiences" in await console.page(PAGE)
    assert "There is no dataflow with this id" in await console.page(f"{PAGE}/pause", 404)
    assert "Map audiences and attributes" in await console.page(f"{PAGE}/contract")


async def test_forms_of_a_page_that_was_opened_before_the_update_still_work(console: Console) -> None:
    answer = await console.submit(f"{PAGE}/preview", {"audience": ["ups/a"], "attributes": "/seen"})
    assert '"seen": "sample seen"' in text_of(answer)
    etag = (await console.get("/api/dataflows/d")).headers["etag"]
    answer = await console.submit(PAGE, {"etag": etag, "audience": ["ups/a"], "attributes": "/seen"})
    assert answer.headers["location"] == f"{PAGE}/mapping?done=saved"


async def test_an_overview_of_an_alerted_destination_is_not_healthy(console: Console) -> None:
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    await console.world.worker.runs.flush()
    assert "D Healthy" in await console.page(PAGE)
    trouble = DestinationTrouble("d", recovering=False, since=console.world.clock(), error="gone")
    await console.world.health.put(trouble)
    console.world.clock.now += 90 * SECOND
    await console.world.worker.evaluate_alerts.run(AlertRun())
    assert "D Down" in await console.page(PAGE)
    del console.world.health.troubles["d"]
    assert "D Alert" in await console.page(PAGE)


async def test_what_a_backfill_would_come_to_is_said_before_it_is_saved(console: Console) -> None:
    world = console.world
    for number in range(3):
        entered = item(f"p{number}", 1, segmentMembership=membership(1, audience="late"))
        await world.handle(entered, message_id=f"m{number}")
    form = {"audience": "ups/a", "others": "late", "attributes": "/x", "trigger_audience": "on"}
    said = text_of(await console.submit(f"{PAGE}/mapping/preview", form))
    assert "1 audience added · a backfill of the members of 1 audience, not counted yet" in said
    await world.clock.sleep(3_600)
    await world.worker.runs.flush()
    await world.worker.plan_backfills.sweep()
    await world.run_backfills()
    await world.run_backfills()
    said = text_of(await console.submit(f"{PAGE}/mapping/preview", form))
    assert "1 audience added · a backfill of up to 3 events, " in said
    nothing_new = await console.submit(f"{PAGE}/mapping/preview", form | {"others": ""})
    assert "a backfill of" not in text_of(nothing_new)


ASKED = {
    "Overview": {
        "alerts.alerts.all": 1,
        "configuration.load": 1,
        "health.load": 1,
        "runs.read": 2,
        "timers.load": 1,
        "undelivered.count": 1,
    },
    "Mapping": {"configuration.load": 1, "health.load": 1, "last_exports.of": 1, "profiles.find": 1, "timers.load": 1},
    "Exports": {"configuration.load": 1, "last_exports.of": 1, "profiles.find": 1, "timers.load": 1},
    "Backfills": {"backfills.all": 1, "configuration.load": 1, "health.load": 1, "timers.load": 1},
    "For consumers": {"configuration.load": 1, "timers.load": 1},
    "Settings": {"configuration.load": 1, "timers.load": 1},
}


@pytest.mark.parametrize("destinations", [2, 100])
@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.label)
async def test_a_page_asks_for_what_it_shows_however_many_destinations_there_are(
    world: World, tab: Any, destinations: int
) -> None:
    ids = ["d", *(f"d{number}" for number in range(destinations - 1))]
    dataflows = [{"id": each, "audiences": ["a"], "attributes": ["/x"]} for each in ids]
    document = {"destinations": [destination(each) for each in ids], "dataflows": dataflows}
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    await world.worker.runs.flush()
    asked: Counter[str] = Counter()
    ports = world.ports
    world.worker = world.new_worker(
        **{each.name: _Counted(getattr(ports, each.name), each.name, asked) for each in fields(ports)}
    )
    async with Console(world) as console:
        await console.page(address("d", tab))
    assert +asked == ASKED[tab.label]


class _Counted:
    """A port, of which it is counted what is asked."""

    def __init__(self, port: Any, name: str, asked: Counter[str]) -> None:
        self._port, self._name, self._asked = port, name, asked

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return _Counted(found, f"{self._name}.{name}", self._asked) if hasattr(found, "all") else found

        def counted(*given: Any, **named: Any) -> Any:
            answer = found(*given, **named)
            self._asked[f"{self._name}.{name}"] += inspect.isawaitable(answer) or inspect.isasyncgen(answer)
            return answer

        return counted

    def __call__(self, *given: Any) -> Any:
        return self._port(*given)
