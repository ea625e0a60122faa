"""How far consumers are behind, as people meet it: on a phone, in the dark, with a screen reader."""

from playwright.async_api import Browser

from tests.browser.checks import OF_NARROW_AND_DARK, checked, fits, is_accessible
from tests.browser.in_process import URL, serve
from tests.kit.console import Console
from tests.kit.world import World
from tests.web.test_consumer_lag import world

__all__ = ["world"]
PAGE = f"{URL}/destinations/d/contract"


async def test_the_table_of_consumer_groups_fits_and_is_accessible(world: World, browser: Browser) -> None:
    async with Console(world) as console:
        wide, narrow = await checked(browser)
        for context in (wide, narrow):
            await serve(context, console)
        light, dark = await wide.new_page(), await narrow.new_page()
        await is_accessible(light, PAGE)
        assert await light.get_by_role("row", name="loader").count() == 1
        await fits(dark, PAGE)
        await is_accessible(dark, PAGE, *OF_NARROW_AND_DARK)
        await light.get_by_role("link", name="Look now").click()
        await light.wait_for_url(f"{PAGE}?look=now")
