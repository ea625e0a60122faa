"""Every page as people meet it: on a phone, with a screen reader, without script, and while storage is down."""

import pytest
from playwright.async_api import Browser, Page, Route, expect

from local.broker.control import Fault
from local.stack.local_stack import LocalStack
from local.storage_faults.rules import StorageFault
from tests.browser.checks import checked, fits, is_accessible, is_fit_for_all, visit
from tests.browser.console import SCRIPT, call, change, connect, send, shows
from tests.kit.api import BASE_URL, Api
from tests.kit.world import World

pytestmark = pytest.mark.runs_the_app
PATHS = (
    "",
    "/destinations/new",
    "/destinations/sales",
    "/destinations/idle",
    "/destinations/sales/mapping",
    "/destinations/idle/mapping",
    "/destinations/sales/exports",
    "/destinations/sales/backfills",
    "/destinations/sales/contract",
    "/destinations/idle/contract",
    "/destinations/sales/settings",
    "/destinations/sales/pause",
    "/destinations/sales/edit",
    "/destinations/sales/connection",
    "/destinations/sales/remove",
    "/destinations/sales/dataflow/remove",
    "/input",
    "/backfills",
    "/audit",
    "/audiences",
    "/alerts",
    "/alerts/subscriptions",
    "/undelivered",
    "/undelivered/sales/redrive",
    "/quarantine",
    "/why",
    "/nothing",
)


@pytest.fixture
async def console(relay_stack: LocalStack, page: Page) -> str:
    """The address of a console with something on each page: a destination with exports that failed and one that did
    not, one without a dataflow, an item in quarantine, an alert that nobody could be told of. The first test makes it.
    """
    url = f"{relay_stack.functions_host.url}/console"
    if not (await call(relay_stack, "GET", "/api/destinations"))["destinations"]:
        await call(relay_stack, "PUT", "/api/audiences/gold", {"name": "Gold tier"})
        await connect(relay_stack, "idle", "crm")
        await connect(relay_stack, "sales", "crm", "gold")
        await shows(page, url, "sales (Healthy|No exports in 24 h)")
        await send(relay_stack, change("delivered"))
        await shows(page, f"{url}/destinations/sales/exports", "Last exports .* delivered acknowledged")
        # Nobody listens there, so that what is open could not be delivered.
        await call(relay_stack, "POST", "/api/alert-subscriptions", {"url": "http://127.0.0.1:9/hook"})
        relay_stack.broker.set_faults(Fault(kind="reject", hub="crm"))
        profiles = (SCRIPT, "p" * 200, "c", "d")
        await send(relay_stack, *(change(profile) for profile in profiles), f"no change {SCRIPT}")
        await shows(page, url, "4 exports wait, the oldest")
        await shows(page, f"{url}/quarantine", "Whole message")
        await shows(page, f"{url}/alerts", "Open (Critical|Warning) .*Could not be delivered")
    return url


async def test_everywhere(console: str, browser: Browser, page: Page) -> None:
    """One visit to each page, since a destination that is down takes a while to make."""
    rows = [await _first_link(page, console, path) for path in ("/quarantine", "/alerts/subscriptions")]
    without_script = await browser.new_page(java_script_enabled=False)
    light, dark = [await context.new_page() for context in await checked(browser)]
    for path in (*PATHS, *rows):
        await _reads(without_script, f"{console}{path}")
        await is_fit_for_all(light, dark, f"{console}{path}")


async def test_the_closed_console(browser: Browser) -> None:
    """It is never seen on a local stack, so the browser is answered by an app beside it."""
    async with Api(World(), app_service_authentication=False) as app:

        async def answer(route: Route) -> None:
            answered = await app.get(route.request.url)
            await route.fulfill(status=answered.status_code, headers=dict(answered.headers), body=answered.content)

        for context in await checked(browser):
            await context.route("**/*", answer)
            page = await context.new_page()
            await is_accessible(page, f"{BASE_URL}/console/undelivered")
            await page.set_viewport_size({"width": 360, "height": 740})
            await fits(page, f"{BASE_URL}/console/undelivered")


async def _first_link(page: Page, console: str, path: str) -> str:
    """Where the first link of a row leads that is about this page's own."""
    await visit(page, f"{console}{path}")
    address = await page.locator(f"ul.rows a[href^='/console{path}/']").first.get_attribute("href")
    assert address is not None
    return address.removeprefix("/console")


async def _reads(page: Page, url: str) -> None:
    await page.goto(url)
    assert await page.locator("h1").inner_text(), url
    await expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    if url.endswith("/new"):
        await expect(page.get_by_label("Connection string", exact=True)).to_be_visible()
        await expect(page.get_by_label("SAS key", exact=True)).to_be_visible()


async def test_a_profile_that_is_a_script_is_shown_and_not_run(console: str, page: Page) -> None:
    await shows(page, f"{console}/undelivered", "document.title")
    assert await page.title() == "Undelivered · Profile Relay"
    await page.goto(f"{console}/why")
    await page.get_by_role("textbox", name="Profile id").fill(SCRIPT)
    await page.get_by_role("button", name="Explain").click()
    await expect(page.get_by_role("main")).to_contain_text("An export waits, for")
    await page.get_by_text("All that is remembered of the profile").click()
    await expect(page.get_by_label("The profile", exact=True)).to_contain_text(SCRIPT)
    assert await page.title() == "Why exported? · Profile Relay"


async def test_the_keyboard_is_enough(console: str, page: Page) -> None:
    await page.goto(console)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Connect a destination")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Connect a destination")).to_be_visible()
    for choice in ("SAS authentication", "Connection string"):
        await page.get_by_role("radio", checked=True).focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("radio", name=choice)).to_be_checked()
    await expect(page.get_by_label("Connection string", exact=True)).to_be_visible()
    await expect(page.get_by_role("textbox", name="SAS key name")).to_be_hidden()


async def test_while_only_queues_are_down_the_rest_is_shown(console: str, page: Page, relay_stack: LocalStack) -> None:
    relay_stack.storage_faults.set_faults(StorageFault(kind="status", service="queue", status=503))
    try:
        answer = await page.goto(console)
        assert answer is not None
        assert answer.status == 200
        await expect(page.get_by_role("region", name="Queues")).to_contain_text(
            "What waits could not be counted: Queue"
        )
        await expect(page.get_by_role("link", name="sales")).to_be_visible()
    finally:
        relay_stack.storage_faults.clear_faults()
    listed = (await call(relay_stack, "GET", "/api/queues"))["queues"]
    assert [each["name"] for each in listed if not each["poison"]] == [
        "profile-changes",
        "export-retries",
        "backfill-slices",
        "alert-deliveries",
    ]
    assert None not in [each["messages"] for each in listed if not each["poison"]]


async def test_while_storage_is_down(console: str, page: Page, relay_stack: LocalStack) -> None:
    relay_stack.storage_faults.set_faults(StorageFault(kind="status", status=503))
    try:
        answer = await page.goto(console)
        assert answer is not None
        assert answer.status == 503
        await expect(page.get_by_role("main")).to_contain_text("What to do: wait a moment")
    finally:
        relay_stack.storage_faults.clear_faults()
    await page.get_by_role("link", name="Load it again").click()
    await expect(page.get_by_role("heading", name="Destinations", exact=True)).to_be_visible()
