"""Every page with as much on it as the app is sized for: it fits a phone, is accessible, and says what counts first."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.checks import OF_NARROW_AND_DARK, checked, is_accessible, is_fit_for_all
from tests.browser.in_process import URL, serve
from tests.kit.at_size import DOWN, world_at_size
from tests.kit.console import SAME_ORIGIN, Console

_ONE = f"/destinations/{DOWN}"
PATHS = (
    *("", "?show=needs", "/input", "/backfills", "/audiences", "/audiences/upload?id=listed", "/alerts"),
    *("/alerts/subscriptions", "/undelivered", f"/undelivered/{DOWN}/redrive", "/quarantine", "/why", "/audit"),
    *(_ONE, *(f"{_ONE}/{tab}" for tab in ("mapping", "exports", "backfills", "contract", "settings", "remove"))),
)


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    """A mapping of the destination that is down is tried beside the live one, which it takes much away from."""
    async with Console(await world_at_size()) as client:
        tried = {"mapping": {"audiences": ["listed"], "attributes": ["/person"]}}
        await client.expect(201, "PUT", f"/api/dataflows/{DOWN}/shadow?hours=24", json=tried, headers=SAME_ORIGIN)
        yield client


@pytest.fixture
async def page(page: Page, console: Console) -> Page:
    await serve(page.context, console)
    return page


async def test_every_page_fits_and_is_accessible(browser: Browser, console: Console) -> None:
    contexts = await checked(browser)
    for context in contexts:
        await serve(context, console)
    light, dark = [await context.new_page() for context in contexts]
    for path in PATHS:
        await is_fit_for_all(light, dark, f"{URL}{path}")
    for explained, rules in ((light, ()), (dark, OF_NARROW_AND_DARK)):
        await explained.goto(f"{URL}/why")
        await explained.get_by_role("textbox", name="Profile id").fill("p1@example.com")
        await explained.get_by_role("button", name="Explain").click()
        await expect(explained.get_by_role("heading", name="What happened")).to_be_visible()
        await is_accessible(explained, explained.url, *rules)
        assert await explained.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_at_night_the_first_page_says_what_is_wrong_and_what_to_do(page: Page) -> None:
    """What, since when, how much waits, whether anything is lost, what to do, and when it is over: on one page."""
    await page.goto(URL)
    said = re.sub(r"\s+", " ", await page.get_by_role("region", name="Whether all is fine").inner_text())
    assert said.startswith("Act now 1 of 100 destinations down: CRM 000, since 22:00 UTC (9 min) · 10,250 exports wait")
    for answer in (
        "the oldest for 9 min: none is lost",
        "250 exports are dead, the oldest for 9 min: kept until somebody redrives them",
        "CRM 000: unreachable contoso.servicebus.windows.net did not answer",
        "What to do: Look at firewalls, port 5671 and the private endpoint.",
        "once it answers, what waits is sent, and it says here for how long still",
    ):
        assert answer in said
    assert await page.evaluate("document.documentElement.scrollHeight") <= 3_000


async def test_what_waits_most_comes_first_and_the_rest_is_folded(page: Page) -> None:
    await page.goto(f"{URL}/undelivered")
    await expect(page.get_by_role("main")).to_contain_text(
        "10,250 exports wait (10,000 parked, 250 retrying) and are sent without anybody's help. 250 exports are dead"
    )
    first = page.get_by_role("rowheader").first
    await expect(first).to_contain_text("CRM 000")
    await expect(first).to_contain_text("Down for 9 min")
    await expect(page.get_by_role("rowheader").locator("visible=true")).to_have_count(12)
    await page.get_by_text("19 other destinations, with fewer").click()
    await expect(page.get_by_role("rowheader").locator("visible=true")).to_have_count(31)


async def test_destinations_that_heard_the_same_are_said_once(page: Page) -> None:
    await page.goto(f"{URL}/why")
    await page.get_by_role("textbox", name="Profile id").fill("p1@example.com")
    await page.get_by_role("button", name="Explain").click()
    await expect(page.locator("#answer ul.rows > li")).to_have_count(1)
    await expect(page.locator("#answer ul.rows > li")).to_contain_text(re.compile(r"and 1\d other destinations"))


async def test_what_a_mapping_takes_away_is_said_in_a_few_lines(page: Page) -> None:
    await page.goto(f"{URL}{_ONE}/mapping")
    lost = page.locator("#shadow .alert")
    await expect(lost.locator("li").locator("visible=true")).to_have_count(5)
    await lost.get_by_text(re.compile(r"and \d+ more")).click()
    await expect(lost.locator("li").locator("visible=true")).not_to_have_count(5)
