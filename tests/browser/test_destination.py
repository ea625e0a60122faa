"""A destination is edited, goes over to another key, and is removed, by clicking, on a real stack."""

import pytest
from playwright.async_api import Page, expect

from local.broker.control import DEFAULT_KEY, DEFAULT_KEY_NAME
from local.exports import read_exports
from local.stack.local_stack import LocalStack
from tests.browser.console import call, change, connect, send, shows


@pytest.mark.runs_the_app
async def test_edit_rotate_remove(page: Page, relay_stack: LocalStack) -> None:
    console = f"{relay_stack.functions_host.url}/console"
    namespace = relay_stack.event_hubs_connection_string.split("sb://")[1].split(";")[0].rstrip("/")
    await connect(relay_stack, "sales", "crm", "gold")
    await page.goto(console)
    await page.get_by_role("link", name="sales").click()
    await page.get_by_role("link", name="Settings").click()

    # Edit: what is wrong is said beside its field, what was typed stays.
    await page.get_by_role("link", name="Edit details").click()
    await page.get_by_role("textbox", name="Name", exact=True).fill("")
    await page.get_by_role("textbox", name="Description").fill("Kitesurfers")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#name-problem")).to_contain_text("fill this in")
    await page.get_by_role("textbox", name="Name", exact=True).fill("Kites")
    await page.get_by_role("checkbox", name="Include segment names").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Kites")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("Kitesurfers")
    await expect(page.get_by_role("main")).to_contain_text("names, no timestamps")

    # Another way of connecting: a wrong key changes nothing, the right one is tested and then kept.
    await page.get_by_role("link", name="Rotate the key").click()
    await expect(page.get_by_role("radio", name="App setting")).to_be_checked()
    await page.get_by_role("radio", name="Standard authentication").check()
    await page.get_by_role("textbox", name="SAS key name").fill(DEFAULT_KEY_NAME)
    await page.get_by_role("textbox", name="Namespace", exact=True).fill(namespace)
    await page.get_by_label("SAS key", exact=True).fill("wrong")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#key-problem")).to_contain_text("does not know this key")
    assert (await call(relay_stack, "GET", "/api/destinations/sales"))["authentication"] is None
    await page.get_by_label("SAS key", exact=True).fill(DEFAULT_KEY)
    await page.get_by_role("button", name="Test connection").click()
    await expect(page.get_by_role("status").first).to_contain_text("It works. The hub takes events")
    await page.get_by_label("SAS key", exact=True).fill(DEFAULT_KEY)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Connected anew.")
    await expect(page.get_by_role("main")).to_contain_text(f"key {DEFAULT_KEY_NAME} ending in {DEFAULT_KEY[-4:]}")
    assert DEFAULT_KEY not in await page.content()
    await send(relay_stack, change("jane.doe"))
    exports = read_exports(relay_stack.event_hubs_connection_string, ["crm"], count=1, timeout=60)
    assert [export.properties["profileId"] async for export in exports] == ["jane.doe"]

    # Remove: the dataflow alone, then the destination.
    await page.get_by_role("link", name="Remove the dataflow").click()
    await expect(page.get_by_role("heading", name="Remove the dataflow of Kites?")).to_be_visible()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("status")).to_contain_text("The destination stays connected")
    await expect(page.get_by_role("link", name="Remove the dataflow")).to_have_count(0)
    await page.get_by_role("link", name="Remove the destination").click()
    await expect(page.get_by_role("main")).to_contain_text("and its key, in all its versions")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("status")).to_contain_text("Removed.")
    await shows(page, console, "Nothing is connected yet")
