"""Pages that follow what happens, while somebody reads and types there."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, Response, expect

from tests.browser.in_process import URL, serve
from tests.kit.builders import item, membership
from tests.kit.console import Console
from tests.kit.world import World


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    async with Console(World()) as client:
        yield client


async def export(console: Console, *profile_ids: str) -> None:
    for each in profile_ids:
        await console.world.handle(item(each, 1, segmentMembership=membership(1), attributes={"x": each}))
        console.world.clock.now += 1_000_000
    await console.world.worker.runs.flush()


async def test_what_is_unfolded_stays_while_others_come_and_it_goes(page: Page, console: Console) -> None:
    await export(console, "first", "second")
    await serve(page.context, console)
    await page.clock.install()
    await page.goto(f"{URL}/destinations/d/exports")
    rows = page.locator("ul.rows > li")
    await expect(rows).to_have_count(2)
    first = rows.filter(has_text="first").first
    await first.get_by_text("Body").click()
    body = first.get_by_label("Body of export")
    await expect(body).to_contain_text('"x": "first"')

    await export(console, "third")
    await page.clock.run_for(5_000)
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("third")
    await expect(body).to_be_visible()

    await export(console, *(f"more-{number:02}" for number in range(20)))
    await page.clock.run_for(5_000)
    await expect(rows.first).to_contain_text("more-19")
    await expect(body).to_be_visible()  # of the last twenty it is none, but somebody reads it
    await expect(rows).to_have_count(21)


async def test_a_page_with_nothing_new_is_told_so(page: Page, console: Console) -> None:
    await serve(page.context, console)
    await page.clock.install()
    await page.goto(URL)
    answers: list[tuple[int, int]] = []

    async def note(answer: Response) -> None:
        answers.append((answer.status, len(await answer.body()) if answer.status == 200 else 0))

    page.on("response", note)
    as_of = page.locator("#as-of")
    first = await as_of.text_content()
    for _ in range(3):
        async with page.expect_response(URL):
            await page.clock.run_for(15_000)
    assert answers == [(304, 0)] * 3
    await expect(as_of).not_to_have_text(first or "")
    await expect(as_of).to_have_text(re.compile(r"^\d\d:\d\d:\d\d UTC$"))
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    console.world.break_down("d")
    for number in range(3):
        await console.world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
    await page.clock.run_for(15_000)
    await expect(page.get_by_role("region", name="Whether all is fine")).to_contain_text("1 of 2 destinations down")


async def test_a_page_that_gets_no_answer_says_of_when_it_is(page: Page, console: Console) -> None:
    await serve(page.context, console)
    await page.clock.install()
    await page.goto(URL)
    stale = page.locator("#live")
    signed_in = console.headers.pop("X-MS-CLIENT-PRINCIPAL")
    for _ in range(2):
        async with page.expect_response(URL):
            await page.clock.run_for(15_000)
    await expect(stale).to_contain_text("since then the app did not answer it")
    console.headers["X-MS-CLIENT-PRINCIPAL"] = signed_in
    await page.clock.run_for(15_000)
    await expect(stale).to_be_hidden()


async def test_what_is_typed_and_focused_stays(page: Page, console: Console) -> None:
    await serve(page.context, console)
    await page.clock.install()
    await page.goto(URL)
    link = page.get_by_role("link", name="D", exact=True)
    search = page.get_by_role("searchbox")
    await search.fill("typed")
    await link.focus()
    console.world.break_down("e")
    for number in range(3):
        await console.world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
    await page.clock.run_for(15_000)
    await expect(page.get_by_role("row").nth(1)).to_contain_text("E Down")
    await expect(search).to_have_value("typed")
    await expect(link).to_be_focused()
