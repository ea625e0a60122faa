"""The boxes that say what is wrong: whole sentences."""

import pytest
from playwright.async_api import Page

from tests.browser.in_process import URL, serve
from tests.kit.builders import item, membership
from tests.kit.console import Console
from tests.kit.world import World

# How far below a time that is marked up the character behind it stands, in pixels.
_DROP = """(time) => {
  const range = document.createRange();
  range.setStart(time.nextSibling, 0);
  range.setEnd(time.nextSibling, 1);
  return range.getBoundingClientRect().top - time.getBoundingClientRect().top;
}"""


@pytest.mark.parametrize("width", [1200, 500])
async def test_what_is_marked_up_does_not_break_a_sentence_into_lines(page: Page, width: int) -> None:
    world = World()
    world.break_down("d")
    for profile_id in "pqr":
        await world.handle(item(profile_id, 1, segmentMembership=membership(1)))
    async with Console(world) as console:
        await serve(page.context, console)
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{URL}/undelivered/d/redrive")
        time = page.locator("p.alert time")
        assert await time.evaluate("(time) => time.nextSibling.textContent[0]") == ":"
        assert abs(await time.evaluate(_DROP)) < 5
