"""Forms by mouse and keyboard: what is wrong is found at once, and nothing typed is lost."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from shared.ports.connections import Verified
from tests.browser.checks import OF_NARROW_AND_DARK, checked, fits, is_accessible
from tests.browser.in_process import URL, serve
from tests.kit.console import Console
from tests.kit.world import World

NEW = f"{URL}/destinations/new"
KEY = "typed-and-kept"


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    world = World()
    world.verifier.hubs = ("analytics", "crm")
    world.verifier.found["crm"] = Verified(("0", "1"))
    async with Console(world) as client:
        yield client


@pytest.fixture
async def page(page: Page, console: Console) -> Page:
    await serve(page.context, console)
    return page


async def test_the_summary_has_the_focus_and_leads_to_the_fields(page: Page) -> None:
    await page.goto(f"{URL}/destinations/d/edit")
    await page.get_by_role("textbox", name="Name", exact=True).fill("")
    await page.get_by_role("textbox", name="Event hub name").fill("")
    await page.get_by_role("textbox", name="Description").fill("typed")
    await page.get_by_role("button", name="Save").click()
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await expect(summary.get_by_role("link")).to_have_text(["Name", "Event hub name"])
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    hub = page.get_by_role("textbox", name="Event hub name", description="fill this in")
    await expect(hub).to_be_focused()
    await expect(hub).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("textbox", name="Description")).to_have_value("typed")


async def test_what_must_be_filled_in_follows_the_way(page: Page) -> None:
    await page.goto(NEW)
    hub = page.get_by_role("textbox", name="Event hub name")
    await expect(hub).to_have_attribute("aria-required", "true")
    await expect(page.get_by_role("textbox", name="Connection string")).to_be_hidden()
    await page.get_by_role("radio", name="Connection string").check()
    await expect(page.get_by_label("Connection string", exact=True)).to_be_visible()
    await expect(page.get_by_role("textbox", name="Namespace", exact=True)).to_be_hidden()
    assert await hub.get_attribute("aria-required") is None
    await page.get_by_role("radio", name="Managed identity").check()
    await expect(hub).to_have_attribute("aria-required", "true")


async def test_an_id_is_suggested_until_somebody_types_one(page: Page) -> None:
    await page.goto(NEW)
    name, own = page.get_by_role("textbox", name="Name", exact=True), page.get_by_role("textbox", name="Id", exact=True)
    await name.press_sequentially("  Crème & Brûlée GmbH / Süd!")
    await expect(own).to_have_value("creme-brulee-gmbh-sud")
    await own.fill("mine")
    await name.press_sequentially(" more")
    await expect(own).to_have_value("mine")


async def test_a_test_keeps_the_key_and_offers_the_hubs(page: Page, console: Console) -> None:
    await page.goto(NEW)
    key, hub = page.get_by_label("SAS key", exact=True), page.get_by_role("textbox", name="Event hub name")
    await page.get_by_role("textbox", name="SAS key name").fill("send")
    await page.get_by_role("button", name="Test connection").click()
    await expect(page.locator("#key-problem")).to_be_visible()
    await expect(key).to_be_focused()
    await key.fill(KEY)
    await page.get_by_role("textbox", name="Namespace", exact=True).fill("contoso")
    await page.get_by_role("button", name="Test connection").click()
    await page.locator("#report").get_by_role("button", name="crm").click()
    await expect(hub).to_have_value("crm")
    await expect(hub).to_be_focused()
    await expect(key).to_have_value(KEY)
    await expect(page.locator(".problem")).to_have_count(0)
    await page.get_by_role("textbox", name="Name", exact=True).fill("Sales")
    await page.get_by_role("button", name="Test connection").click()
    await expect(page.locator("#report")).to_contain_text("It works. The hub takes events")
    await expect(page.locator("#report")).not_to_contain_text("Type the key again")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("Connected.")
    assert console.world.secrets.secrets["profile-relay-sales"]


async def test_a_form_with_problems_fits_and_is_accessible(browser: Browser, console: Console) -> None:
    for context, rules in zip(await checked(browser), ((), OF_NARROW_AND_DARK), strict=True):
        await serve(context, console)
        page = await context.new_page()
        await page.goto(f"{URL}/alerts/subscriptions")
        for box in await page.get_by_role("group", name="Of which alerts").get_by_role("checkbox").all():
            await box.uncheck()
        await page.get_by_role("button", name="Subscribe").click()
        await expect(page.get_by_role("alert").get_by_role("link")).to_have_text(["Webhook", "Of which alerts"])
        await is_accessible(page, page.url, *rules)
        if rules:
            await fits(page, NEW)
            await is_accessible(page, NEW, *rules)
            await page.goto(f"{URL}/destinations/d/backfills")
            await page.get_by_text("Export members again").click()
            await page.get_by_role("radio", name="A range of profile keys").check()
            await page.get_by_role("button", name="Export again").click()
            await expect(page.get_by_role("alert").get_by_role("link")).to_have_text(["First key", "Last key"])
            await is_accessible(page, page.url, *rules)


async def test_a_word_is_explained_by_the_keyboard(page: Page) -> None:
    await page.goto(f"{URL}/undelivered")
    word = page.get_by_role("button", name="parked")
    await word.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#word-parked")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#word-parked")).to_be_hidden()
