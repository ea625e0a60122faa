"""From an empty console to a broken destination and back, by clicking, on a real stack."""

import pytest
from playwright.async_api import Page, expect

from local.broker.control import DEFAULT_KEY, DEFAULT_KEY_NAME, Fault
from local.eventually import eventually
from local.exports import read_exports
from local.stack.local_stack import LocalStack
from tests.browser.console import AlertHook, call, change, send, shows


@pytest.mark.runs_the_app
async def test_connect_map_send_break_mend(page: Page, relay_stack: LocalStack, webhook: AlertHook) -> None:
    console = f"{relay_stack.functions_host.url}/console"
    namespace = relay_stack.event_hubs_connection_string.split("sb://")[1].split(";")[0].rstrip("/")
    await shows(page, console, "Nothing is connected yet")
    await page.get_by_role("link", name="Connect a destination").click()

    # Connect: a wrong key is told of beside its field, the right one lists the hubs.
    await page.get_by_role("textbox", name="SAS key name").fill(DEFAULT_KEY_NAME)
    await page.get_by_label("SAS key", exact=True).fill("wrong")
    await page.get_by_role("textbox", name="Namespace", exact=True).fill(namespace)
    await page.get_by_role("textbox", name="Event hub name").fill("crm")
    await page.get_by_role("textbox", name="Name", exact=True).fill("Sales")
    await page.get_by_role("textbox", name="Id", exact=True).fill("sales")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.locator("#key-problem")).to_contain_text("does not know this key")
    assert await page.get_by_label("SAS key", exact=True).input_value() == ""
    await page.get_by_label("SAS key", exact=True).fill(DEFAULT_KEY)
    await page.get_by_role("button", name="Test connection").click()
    await expect(page.get_by_role("status").first).to_contain_text("It works. The hub takes events")
    await expect(page.get_by_role("status").first).to_contain_text("analytics crm")
    assert DEFAULT_KEY not in await page.content()
    await page.get_by_label("SAS key", exact=True).fill(DEFAULT_KEY)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Connected.")

    # Map: the preview follows what is typed.
    await page.get_by_role("textbox", name="Others, by id").fill("gold")
    await page.get_by_role("textbox", name="Attribute paths").fill("person.name")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"name": "sample name"')
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("checkbox", name="gold")).to_be_checked()
    await expect(page.get_by_label("Body of the export")).to_contain_text('"name": "sample name"')
    assert (await call(relay_stack, "GET", "/api/dataflows"))["dataflows"] == []
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved.")

    # Send: the export is in the hub, and the page shows that profile.
    async def exported(*profile_ids: str) -> None:
        wanted = set(profile_ids)
        async for export in read_exports(relay_stack.event_hubs_connection_string, ["crm"], count=100, timeout=60):
            wanted.discard(str(export.properties["profileId"]))
            if not wanted:
                return
        raise AssertionError(f"not exported: {wanted}")

    await shows(page, f"{console}/destinations/sales/mapping", "Sales Overview")
    await send(relay_stack, change("jane.doe"))
    await exported("jane.doe")
    await page.get_by_role("textbox", name="Profile id").fill("jane.doe")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Body of the export")).to_contain_text('"firstName": "John"')

    # Somebody wants to be told: the secret is shown once, and a test alert arrives.
    await shows(page, f"{console}/alerts", "No alert is open Nobody would be told of one")
    await page.get_by_role("link", name="subscribe a webhook").click()
    await page.get_by_role("textbox", name="Webhook").fill(webhook.url)
    for box in await page.get_by_role("group", name="Of which alerts").get_by_role("checkbox").all():
        await box.set_checked(await box.get_attribute("value") == "destination-down")
    await page.get_by_role("checkbox", name="Sales").check()
    await page.get_by_role("button", name="Subscribe").click()
    secret = await page.get_by_label("Secret").inner_text()
    assert secret.startswith("whsec_")
    await page.get_by_role("button", name="Send a test alert").click()
    await expect(page.get_by_role("status")).to_contain_text("The test alert was taken")
    await expect(page.get_by_role("status")).to_contain_text("HTTP 204")
    assert webhook.told == [("test", "")]
    assert secret not in await page.content()

    # The last exports: there is one.
    await shows(page, f"{console}/destinations/sales/exports", "Last exports .* jane.doe")

    # Break: the destination is down, and what it misses is listed.
    relay_stack.broker.set_faults(Fault(kind="reject", hub="crm", condition="com.microsoft:entity-disabled"))
    await send(relay_stack, *(change(f"missed-{number}", 1) for number in range(5)))
    await shows(page, console, "[1-9] exports? waits?, the oldest")
    # Those that come while it is known to be down are parked, however many runs probe it in vain.
    log = relay_stack.functions_host.log
    assert await eventually(lambda: log.read_text("utf-8").count('"still down"') >= 3, timeout=240)
    await send(relay_stack, *(change(f"missed-{number}", 1) for number in range(5, 10)))
    await shows(page, console, r"1 of 1 destination down: Sales, since .*Sales Down for .*[1-9]\d*, \d")
    down = "The destination does not answer Sales"
    await shows(page, f"{console}/alerts", rf"Open .*Critical {down} What to do: .* [\d.]+ (s|min) the alert is")
    await shows(page, console, r"\d alerts? open")
    test, opened, resolved = ("test", ""), ("opened", "destination-down"), ("resolved", "destination-down")
    assert await eventually(lambda: webhook.told == [test, opened], timeout=240)
    await shows(page, f"{console}/undelivered?destination=sales", r"missed-4 to Sales")
    await page.get_by_role("link", name="Redrive all").click()
    await expect(page.get_by_role("heading", name="Redrive all to Sales?")).to_be_visible()
    await page.get_by_role("button", name="Redrive all").click()
    await expect(page.get_by_role("status")).to_contain_text("Asked for.")

    # Mend: all of it is sent by itself, and the console says so.
    relay_stack.broker.clear_faults()
    await shows(
        page, console, r"no export waits .*Sales (Healthy|Alert)", timeout=90
    )  # alerts of latency stay for a while
    await exported(*(f"missed-{number}" for number in range(10)))
    await shows(page, f"{console}/undelivered", "Everything was delivered")
    await shows(page, f"{console}/alerts", f"Over .*Resolved {down} Over")
    assert await eventually(lambda: webhook.told == [test, opened, resolved], timeout=240)
    audit = await call(relay_stack, "GET", "/api/audit?limit=50")
    assert DEFAULT_KEY not in str(audit)
    assert {"POST /console/destinations", "POST /console/destinations/sales/mapping"} <= {
        e["what"] for e in audit["entries"]
    }
