"""The console while much waits: it stays readable, says how much and for how long, and what to do."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from shared.domain.exports.recovery import Recovery
from shared.domain.instants import MINUTE
from shared.domain.messages.queue_kind import QueueKind
from shared.ports.health import DestinationTrouble
from tests.browser.checks import OF_NARROW_AND_DARK, checked, is_accessible, is_fit_for_all, tab_to
from tests.browser.in_process import URL, serve
from tests.kit.builders import item, membership
from tests.kit.console import SAME_ORIGIN, Console
from tests.kit.world import World

UNDELIVERED = 320
QUARANTINED = 230
PATHS = (
    "",
    "/destinations/d",
    "/destinations/e/backfills",
    "/undelivered",
    "/undelivered/d/redrive",
    "/quarantine",
    "/alerts",
    "/alerts/subscriptions",
)


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    """Much waits on the queues, in quarantine and for `d`, which is down; of two backfills of `e` one runs."""
    world = World()
    for number in range(40):
        memberships = {"ups": membership(1, audience="b")["ups"] | membership(1, audience="c")["ups"]}
        await world.handle(item(f"member-{number}", 1, segmentMembership=memberships))
    async with Console(world) as client:
        await map_audience(client, "b")
        await world.clock.sleep(120)
        await world.worker.plan_backfills.run()
        del world.slices.waiting[8:]
        await world.work_slices()
        await map_audience(client, "c")
        world.break_down("d")
        world.queues.put(QueueKind.CHANGES, messages=2_340)
        world.queues.put(QueueKind.CHANGES, poison=True, messages=3)
        world.queues.put(QueueKind.RETRIES, messages=412, visible=False)
        for number in range(UNDELIVERED):
            profile_id = f"profile-{number:03}-{'long-' * (number % 9)}id"
            await world.handle(item(profile_id, 1, segmentMembership=membership(1)))
        for number in range(QUARANTINED):
            await world.handle({"profileId": f"bad-{number}"}, message_id=f"m{number:03}")
        world.clock.now += 25 * MINUTE
        yield client


async def map_audience(console: Console, audience: str) -> None:
    before = (await console.get("/api/dataflows/e")).json()
    mapped = {"audiences": [*before["audiences"], {"id": audience}], "attributes": ["/x"]}
    await console.expect(200, "PUT", "/api/dataflows/e", json=mapped, headers=SAME_ORIGIN)


@pytest.fixture
async def page(page: Page, console: Console) -> Page:
    await serve(page.context, console)
    return page


async def says(page: Page, path: str, pattern: str) -> None:
    await page.goto(f"{URL}{path}")
    text = re.sub(r"\s+", " ", await page.inner_text("main"))
    assert re.search(pattern, text), text


async def test_every_page_says_how_much_and_for_how_long(page: Page) -> None:
    await says(
        page,
        "",
        r"1 of 2 destinations down: D, since .* UTC \(25 min\) · "
        r"320 exports wait, the oldest for 25 min: none is lost .*"
        r"Queues Failed 3 messages wait in profile-changes-poison, the first for 25 min They failed .*"
        r"Piling up 2,340 messages wait in profile-changes, the first for 25 min See .*"
        r"Waiting 412 messages wait in export-retries, being handled or not due yet .*"
        r"D Down for 25 min .*320, 25 min",
    )
    await says(page, "/undelivered", r"D Down for 25 min: .*parked destination-down 31\d 25 min ago")
    await says(
        page,
        "/destinations/e/backfills",
        r"Waiting Backfill of 1 audience, asked for 25 min ago 0 % · 0 members.* due 2\d min ago .*"
        r"Running Backfill of 1 audience, asked for 27 min ago 50 % · "
        r"\d+ members, \d+ exported, 0 undelivered It waits: no worker has been at it, for 25 min\.",
    )


@pytest.mark.parametrize(("path", "rows"), [("/undelivered", UNDELIVERED), ("/quarantine", QUARANTINED)])
async def test_a_long_list_is_read_page_by_page(page: Page, path: str, rows: int) -> None:
    await page.goto(f"{URL}{path}")
    pages, seen = 0, set()
    while True:
        shown = await page.locator("ul.rows > li").evaluate_all("rows => rows.map((row) => row.innerHTML)")
        assert 0 < len(shown) <= 50
        seen |= set(shown)
        pages += 1
        further = page.get_by_role("link", name="Next page")
        if not await further.count():
            break
        async with page.expect_navigation():
            await further.click()
    assert (pages, len(seen)) == (-(-rows // 50), rows)


async def test_everything_fits_and_is_accessible(browser: Browser, console: Console) -> None:
    contexts = await checked(browser)
    for context in contexts:
        await serve(context, console)
    light, dark = [await context.new_page() for context in contexts]
    for path in PATHS:
        await is_fit_for_all(light, dark, f"{URL}{path}")


async def recovers(world: World, settled: int) -> None:
    """The destination answers again, and so many of its rows are gone already."""
    now = world.clock()
    await world.health.put(DestinationTrouble("d", recovering=True, since=now - 2 * MINUTE, error="no answer"))
    await world.health.note_recovery(Recovery("d", now - MINUTE, now, settled))


async def test_how_far_a_redrive_is_follows_by_itself(page: Page, console: Console) -> None:
    await recovers(console.world, 1_280)
    await page.clock.install()
    await says(page, "/undelivered", r"D is told again what it missed, since 1 min ago\. 1,280 of 1,600 done, 320 left")
    await recovers(console.world, 2_880)
    await page.clock.run_for(16_000)
    bar = page.get_by_role("progressbar", name="Recovery of D")
    await expect(bar).to_have_attribute("value", "0.9")
    await expect(page.get_by_role("region", name="Recovery of D")).to_contain_text("2,880 of 3,200 done")


async def test_a_redrive_by_the_keyboard_alone(page: Page, console: Console) -> None:
    await page.goto(URL)
    await tab_to(page, page.get_by_role("link", name="Undelivered", exact=True), 12)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Undelivered")).to_be_visible()
    await tab_to(page, page.get_by_role("link", name="Skip to the content"), 1)
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("link", name="Redrive all"), 6)
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Redrive all"), 16)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Asked for.")
    assert list(console.world.health.redrives) == ["d"]


async def test_a_recovery_and_an_explanation_fit_and_are_accessible(browser: Browser, console: Console) -> None:
    await recovers(console.world, 1_280)
    await console.world.handle(item("member-1", 2, segmentMembership=membership(2)), {"profileId": "member-1"})
    for context, rules in zip(await checked(browser), ((), OF_NARROW_AND_DARK), strict=True):
        await serve(context, console)
        page = await context.new_page()
        await is_accessible(page, f"{URL}/undelivered", *rules)
        await expect(page.get_by_role("progressbar", name="Recovery of D")).to_be_visible()
        await page.goto(f"{URL}/why")
        await page.get_by_role("textbox", name="Profile id").fill("member-1")
        await page.get_by_role("button", name="Explain").click()
        await expect(page.get_by_role("heading", name="In quarantine")).to_be_visible()
        await is_accessible(page, page.url, *rules)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
