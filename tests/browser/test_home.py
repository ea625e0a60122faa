"""The first page with a hundred destinations: seen at a glance, on a phone too, and followed by itself."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from shared.domain.instants import MINUTE
from shared.domain.runs import RunCounts, RunSlot, slot_of
from tests.browser.checks import OF_NARROW_AND_DARK, checked, fits, is_accessible
from tests.browser.in_process import URL, serve
from tests.kit.builders import NOW, configuration, destination, item, membership
from tests.kit.console import Console
from tests.kit.world import World

DESTINATIONS = 100


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    world = World()
    ids = [f"d{number:03}" for number in range(DESTINATIONS)]
    document = {
        "destinations": [destination(each) | {"name": f"Kites of region {each[1:]}"} for each in ids],
        "dataflows": [
            {"id": each, "audiences": ["a"], "enabled": not each.endswith("7")}
            for each in ids
            if not each.endswith("9")
        ],
    }
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    world.worker = world.new_worker()
    for each in ids[::2]:
        await world.runs.put(each, RunSlot(slot_of(NOW), RunCounts(activated=Counter({"audience": 1_234_567}))), "i")
    world.break_down("d000")
    for number in range(3):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
    world.clock.now += 9 * MINUTE
    async with Console(world) as client:
        yield client


async def test_a_hundred_destinations_are_seen_at_once(browser: Browser, console: Console) -> None:
    light, dark = await checked(browser)
    for context in (light, dark):
        await serve(context, console)
    wide, narrow = await light.new_page(), await dark.new_page()
    await is_accessible(wide, URL)
    assert await wide.locator("tbody tr").count() == DESTINATIONS
    assert await wide.evaluate("document.documentElement.scrollHeight") <= 3_000
    await fits(narrow, URL)
    await is_accessible(narrow, URL, *OF_NARROW_AND_DARK)


async def test_rows_are_found_sorted_and_filtered_without_a_script(browser: Browser, console: Console) -> None:
    context = await browser.new_context(java_script_enabled=False)
    await serve(context, console)
    page = await context.new_page()
    await page.goto(URL)
    first = page.locator("tbody tr").first
    await expect(first).to_contain_text("Kites of region 000 Down for 9 min")
    await page.get_by_role("link", name="Paused 10").click()
    await expect(page.locator("tbody tr")).to_have_count(10)
    await page.get_by_role("link", name="No dataflow 10").click()
    await page.get_by_role("searchbox").fill("REGION 01")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator("tbody th")).to_have_text(["Kites of region 019"])
    await page.goto(f"{URL}?q=nobody")
    await page.get_by_role("link", name="Show all").click()
    await page.get_by_role("link", name="Exports, 24 h").click()
    await expect(first).to_contain_text("1,234,56")


async def test_the_page_follows_what_happens(page: Page, console: Console) -> None:
    await serve(page.context, console)
    await page.clock.install()
    await page.goto(URL)
    verdict = page.get_by_role("region", name="Whether all is fine")
    await expect(verdict).to_contain_text("1 of 100 destinations down: Kites of region 000, since")
    await page.get_by_role("searchbox").fill("typed")
    console.world.mend("d000")
    console.world.clock.now += 3 * MINUTE
    await console.world.worker.watch_destinations.run()
    await page.clock.run_for(15_000)
    await expect(verdict).not_to_contain_text("down")
    await expect(page.get_by_role("searchbox")).to_have_value("typed")
