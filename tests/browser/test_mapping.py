"""Mapping at the size that the app is for: found, ticked and saved in few steps, by keyboard and without script."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.checks import OF_NARROW_AND_DARK, checked, fits, is_accessible, tab_to
from tests.browser.in_process import URL, serve
from tests.kit.builders import configuration, destination, item, membership
from tests.kit.console import Console
from tests.kit.world import World

AUDIENCES, MAPPED, ATTRIBUTES = 230, 46, 60
PAGE = f"{URL}/destinations/d"
WORDS = ("Loyal", "Lapsed", "Newsletter", "Kitesurfers", "Cart left behind", "High value", "Students", "Families")


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    """`d` maps 46 of 230 audiences, and 60 attributes; a profile that was exported has some others."""
    world = World()
    ids = [f"{number:03}a41c2e-7d0b-4d1f-9a2e-5b6c7d8e9f{number:03}" for number in range(AUDIENCES)]
    spaces = ["crm" if number % 5 == 4 else "ups" for number in range(AUDIENCES)]
    document = {
        "audiences": [
            {"id": each, "namespace": space, "name": f"{WORDS[number % 8]}, region {number:03}"}
            for number, (each, space) in enumerate(zip(ids, spaces, strict=True))
        ],
        "destinations": [destination("d") | {"name": "Sales"}, destination("e")],
        "dataflows": [
            {
                "id": "d",
                "audiences": [{"id": ids[number], "namespace": spaces[number]} for number in range(0, MAPPED * 5, 5)],
                "attributes": [f"/loyalty/field{number:02}" for number in range(ATTRIBUTES - 1)] + ["/loyalty/tier"],
            }
        ],
    }
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    world.worker = world.new_worker()
    attributes = {
        "loyalty": {"tier": "gold", "field01": 7, "field02": ["hush"], "points": 12},
        "person": {"name": {"firstName": "Jane-the-secret", "lastName": "Doe"}, "birthYear": 1990},
        "orders": {"count": 3, "last": "2026-01-01"},
    }
    await world.handle(item("jane", 1, attributes=attributes, segmentMembership=membership(1, audience=ids[0])))
    await world.worker.runs.flush()
    async with Console(world) as client:
        yield client


@pytest.fixture
async def page(page: Page, console: Console) -> Page:
    await serve(page.context, console)
    await page.goto(f"{PAGE}/mapping")
    return page


async def mapped(console: Console) -> tuple[int, list[str]]:
    """How many audiences, and which attributes."""
    dataflow = (await console.world.configuration.load()).configuration.dataflow("d")
    return len(dataflow.audiences), dataflow.attributes


def rest(page: Page) -> Locator:
    """The boxes of audiences that are not mapped."""
    return page.get_by_role("group", name="Not mapped").get_by_role("checkbox")


async def test_ten_audiences_are_mapped_in_twelve_steps(page: Page, console: Console) -> None:
    await page.goto(PAGE)
    steps = 0

    async def click(what: Locator) -> None:
        nonlocal steps
        steps += 1
        await what.click()

    await click(page.get_by_role("link", name="Mapping", exact=True))
    await expect(page.locator("legend", has_text="Audiences")).to_contain_text("46 of 230")
    for number in range(10):
        await click(rest(page).nth(number * 18))
    await expect(page.locator("legend", has_text="Audiences")).to_contain_text("56 of 230")
    await expect(page.locator("#changes")).to_contain_text("10 audiences added · a backfill of")
    await click(page.get_by_role("button", name="Save"))
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert steps <= 12
    assert (await mapped(console))[0] == MAPPED + 10


async def test_what_is_searched_for_is_ticked_at_once(page: Page, console: Console) -> None:
    search = page.get_by_role("searchbox", name="Search audiences")
    await search.fill("region 01 KITE")
    await expect(page.locator("#audiences-picker [data-found]")).to_have_text("2 found")
    await search.press("Enter")
    await search.fill("kite")
    await page.get_by_role("combobox", name="Namespace").select_option("crm")
    await expect(page.locator("#audiences-picker .tick:visible")).to_have_count(6)
    await page.get_by_role("button", name="Tick all found").first.click()
    await expect(page.locator("#changes")).to_contain_text("6 audiences added · a backfill of")
    await page.get_by_role("link", name="Discard").click()
    await expect(page.locator("#changes")).to_have_text("Saved: 46 audiences, 60 attributes")
    assert (await mapped(console))[0] == MAPPED
    assert console.world.audit.entries == {}


async def test_the_bar_says_what_saving_would_do(page: Page, console: Console) -> None:
    chips = page.get_by_role("group", name="Mapped audiences").get_by_role("checkbox")
    await expect(chips).to_have_count(MAPPED)
    await rest(page).first.check()
    await chips.nth(0).uncheck()
    await chips.nth(1).uncheck()
    attributes = page.locator("legend", has_text="Attributes")
    await expect(attributes).to_contain_text("60 / 50")
    await page.get_by_role("group", name="Mapped attributes").get_by_role("checkbox", name="/loyalty/tier").uncheck()
    await expect(attributes).to_contain_text("59 / 50")
    said = (
        "1 audience added, 2 removed · a backfill of the members of 1 audience, not counted yet · "
        "1 attribute removed · removes /loyalty/tier from the contract"
    )
    await expect(page.locator("#changes")).to_have_text(said)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    audiences, paths = await mapped(console)
    assert (audiences, "/loyalty/tier" in paths) == (MAPPED - 1, False)


async def test_attributes_are_suggested_from_profiles_and_values_are_not_shown(page: Page) -> None:
    seen = page.get_by_role("group", name="Seen in the last 1 profile that was exported")
    name = seen.get_by_role("checkbox", name="/person/name/firstName text · in 1 of 1")
    await expect(name).to_be_visible()
    await expect(page.locator("#preview-said")).to_contain_text("The shape of a profile that was exported lately")
    await expect(page.locator("#preview-said")).to_contain_text("It does not have /loyalty/field00, /loyalty/field03")
    await name.check()
    body = page.get_by_label("Body of the export")
    await expect(body).to_contain_text('"firstName": "(text)"')
    await expect(body).to_contain_text('"field01": "(number)"')
    content = await page.content()
    assert "Jane-the-secret" not in content
    assert '"jane"' not in content
    await page.get_by_role("textbox", name="Profile id").fill("jane")
    await expect(body).to_contain_text("Jane-the-secret")


async def test_the_keyboard_is_enough(page: Page, console: Console) -> None:
    """From the first key on the overview to the mapping that is saved, and past the many boxes in a few."""
    await page.goto(PAGE)
    await tab_to(page, page.get_by_role("link", name="Skip to the content"), 1)
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("link", name="Mapping", exact=True), 6)
    await page.keyboard.press("Enter")
    search = page.get_by_role("searchbox", name="Search audiences")
    await tab_to(page, search, 30)
    await page.keyboard.type("region 229")
    await expect(page.locator("#audiences-picker [data-found]")).to_have_text("1 found")
    await tab_to(page, page.get_by_role("checkbox", name="region 229"), 3)
    await page.keyboard.press("Space")
    await expect(page.locator("#changes")).to_contain_text("1 audience added · a backfill of")
    await tab_to(page, page.locator("#attributes-picker .skip"), 8)
    await page.keyboard.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Save"), 16)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert (await mapped(console))[0] == MAPPED + 1


async def test_without_a_script_all_boxes_are_there(browser: Browser, console: Console) -> None:
    context = await browser.new_context(java_script_enabled=False)
    await serve(context, console)
    page = await context.new_page()
    await page.goto(f"{PAGE}/mapping")
    await expect(page.get_by_role("searchbox")).to_have_count(0)
    await expect(rest(page)).to_have_count(AUDIENCES - MAPPED)
    await rest(page).nth(7).check()
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#changes")).to_contain_text("1 audience added · a backfill of")
    await expect(page.get_by_role("group", name="Mapped audiences").get_by_role("checkbox")).to_have_count(MAPPED + 1)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert (await mapped(console))[0] == MAPPED + 1


async def test_it_fits_and_is_accessible(browser: Browser, console: Console) -> None:
    light, dark = await checked(browser)
    for context in (light, dark):
        await serve(context, console)
    wide, narrow = await light.new_page(), await dark.new_page()
    await is_accessible(wide, f"{PAGE}/mapping")
    await fits(narrow, f"{PAGE}/mapping")
    await is_accessible(narrow, f"{PAGE}/mapping", *OF_NARROW_AND_DARK)


async def test_a_mapping_tried_beside_the_live_one_is_read_on_a_phone_and_by_everybody(
    browser: Browser, console: Console
) -> None:
    live = (await console.get("/api/dataflows/d")).json()
    wanted = {"audiences": [*live["audiences"][:40], "another"], "attributes": ["/loyalty", "/orders/count"]}
    assert (await console.put("/api/dataflows/d/shadow", json={"mapping": wanted})).status_code == 201
    await console.world.clock.sleep(3_600)
    # Of a target that the bar at the bottom hides in part, which of them depends on the height of what is above.
    of_narrow = tuple(rule for rule in OF_NARROW_AND_DARK if rule != "target-size")
    for context, rules in zip(await checked(browser), ((), of_narrow), strict=True):
        await serve(context, console)
        page = await context.new_page()
        if rules:
            await fits(page, f"{PAGE}/mapping")
        await is_accessible(page, f"{PAGE}/mapping", *rules)
        await expect(page.get_by_role("region", name="Tried beside the live mapping")).to_contain_text("USD a month")
