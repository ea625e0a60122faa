"""The preview of a destination's mapping, which follows the form while somebody types."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Request, Route, expect

from shared.errors import StorageError
from shared.ports.configuration import StoredConfiguration
from tests.browser.in_process import URL, serve
from tests.kit.builders import item, membership
from tests.kit.console import Console
from tests.kit.world import World

MAPPING = f"{URL}/destinations/d/mapping"


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    async with Console(World()) as client:
        yield client


@pytest.fixture
async def page(page: Page, console: Console) -> Page:
    """The mapping of a destination that maps /x."""
    await serve(page.context, console)
    await page.goto(MAPPING)
    return page


async def test_it_follows_what_is_typed(page: Page, console: Console) -> None:
    paths, body = page.get_by_role("textbox", name="Attribute paths"), page.get_by_label("Body of the export")
    await expect(body).to_contain_text('"x": "sample x"')
    await page.get_by_text("Application properties").click()
    await paths.press_sequentially("person.name")
    await expect(body).to_contain_text('"name": "sample name"')
    await expect(page.locator("#preview-said")).to_contain_text("by the mapping in the form, which is not saved")
    await expect(page.get_by_label("Application properties")).to_be_visible()

    # What is wrong is said beside the field, whose text and cursor stay.
    await paths.press_sequentially("\nlist[0]")
    await expect(page.locator("#attributes-problem")).to_contain_text("line 2: expected a path that ends at the array")
    await expect(paths).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("textbox", name="Attribute paths", description="line 2")).to_be_focused()
    await expect(page.locator("#preview-said")).to_have_text("Correct what is said beside the fields to see it.")
    await expect(body).to_have_count(0)
    for _ in "[0]":
        await paths.press("Backspace")
    await expect(body).to_contain_text('"list": "sample list"')
    assert await paths.input_value() == "person.name\nlist"
    await expect(page.locator(".problem")).to_have_count(0)
    assert await paths.get_attribute("aria-invalid") is None

    await page.get_by_role("group", name="Audiences").get_by_role("checkbox").first.uncheck()
    await expect(page.locator("#preview-said")).to_contain_text("Choose an audience to see it")
    assert console.world.audit.entries == {}
    assert [dataflow.attributes for dataflow in (await stored(console)).configuration.dataflows] == [["/x"], []]


async def test_it_shows_the_profile_that_is_named(page: Page, console: Console) -> None:
    await console.world.handle(item("jane.doe", 1, attributes={"x": "hers"}, segmentMembership=membership(1)))
    named = page.get_by_role("textbox", name="Profile id")
    await named.press_sequentially("jane")
    await expect(page.locator("#preview-said")).to_contain_text("Nothing would be exported of this profile")
    await named.press_sequentially(".doe")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"x": "hers"')
    await expect(named).to_be_focused()
    assert "jane" not in page.url


async def test_what_was_wrong_when_it_was_saved_goes_when_it_is_mended(page: Page) -> None:
    paths = page.get_by_role("textbox", name="Attribute paths")
    await paths.fill("list[0]")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")
    await paths.fill("/list")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"list"')
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_what_is_typed_before_the_script_is_there_is_followed_too(browser: Browser, console: Console) -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> None:
        if "app.js" in request.url:
            asked.set()
            await let_go.wait()

    page = await browser.new_page()
    await serve(page.context, console, hold)
    await page.goto(MAPPING, wait_until="commit")
    await asyncio.wait_for(asked.wait(), 30)
    await page.get_by_role("textbox", name="Attribute paths").fill("/early")
    let_go.set()
    await expect(page.get_by_label("Body of the export")).to_contain_text("sample early")


async def test_an_answer_that_comes_too_late_is_ignored(browser: Browser, console: Console) -> None:
    asked, let_go, given = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold(request: Request) -> None:
        if "first" in (request.post_data or ""):
            asked.set()
            await let_go.wait()
            given.set()

    page = await browser.new_page()
    await serve(page.context, console, hold)
    await page.goto(MAPPING)
    paths, body = page.get_by_role("textbox", name="Attribute paths"), page.get_by_label("Body of the export")
    await paths.fill("/first")
    await asyncio.wait_for(asked.wait(), 30)
    await paths.fill("/second")
    await expect(body).to_contain_text("sample second")
    let_go.set()
    await asyncio.wait_for(given.wait(), 30)
    # Whatever the page makes of the late answer, it has made when a later request is answered.
    await page.evaluate("fetch(location.href).then((answer) => answer.text())")
    await expect(body).to_contain_text("sample second")
    await expect(page.locator("#preview-body[aria-busy]")).to_have_count(0)


async def test_trouble_is_said_in_place(page: Page, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, said = page.get_by_role("textbox", name="Attribute paths"), page.locator("#preview-said")
    load = console.world.configuration.load

    async def failing() -> StoredConfiguration:
        raise StorageError("table Configuration: could not read: HTTP 503")

    monkeypatch.setattr(console.world.configuration, "load", failing)
    await paths.fill("/y")
    await expect(said).to_contain_text("Table Configuration: could not read: HTTP 503.")
    assert await paths.input_value() == "/y"
    monkeypatch.setattr(console.world.configuration, "load", load)
    await paths.fill("/z")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"z": "sample z"')
    await expect(said).not_to_contain_text("could not read")

    signed_in = console.headers.pop("X-MS-CLIENT-PRINCIPAL")
    await paths.fill("/w")
    await expect(said).to_contain_text("You are not signed in any more")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"z": "sample z"')
    console.headers["X-MS-CLIENT-PRINCIPAL"] = signed_in
    await paths.fill("/v")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"v": "sample v"')


async def test_a_session_that_is_lost_is_not_followed_elsewhere(page: Page) -> None:
    async def sign_in(route: Route) -> None:
        await route.fulfill(status=302, headers={"location": "https://login.example/"})

    await page.route("**/preview", sign_in)
    await page.get_by_role("textbox", name="Attribute paths").fill("/y")
    await expect(page.locator("#preview-said")).to_contain_text("You are not signed in any more")


async def stored(console: Console) -> StoredConfiguration:
    return await console.world.configuration.load()
