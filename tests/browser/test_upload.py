"""Members uploaded from a file, as an analyst does it."""

from playwright.async_api import Browser, FilePayload, Page, expect

from tests.browser.checks import OF_NARROW_AND_DARK, checked, fits, is_accessible
from tests.browser.in_process import URL, serve
from tests.kit.console import Console
from tests.kit.world import World


def file(content: bytes) -> FilePayload:
    return {"name": "members.csv", "mimeType": "text/csv", "buffer": content}


async def test_a_file_is_read_into_its_field_and_uploaded(browser: Browser, page: Page) -> None:
    async with Console(World()) as console:
        await console.expect(201, "PUT", "/api/audiences/list", json={"origin": "custom-upload", "name": "Fair"})
        await serve(page.context, console)
        await page.goto(f"{URL}/audiences")
        await page.get_by_role("link", name="Upload members").click()
        chosen, members = page.get_by_label("A file"), page.get_by_label("Members", exact=True)
        await chosen.set_input_files(file("profileId\nJörg\n".encode("latin-1")))
        await expect(page.get_by_text("The file is not in UTF-8")).to_be_visible()
        await expect(members).to_have_value("")
        await chosen.set_input_files(file("profileId\nJörg\n".encode()))
        await expect(members).to_have_value("profileId\nJörg\n")
        await page.get_by_role("button", name="Upload").click()
        await expect(page.get_by_text("Upload to list")).to_be_visible()

        wide, narrow = await checked(browser)
        for context in (wide, narrow):
            await serve(context, console)
        path = f"{URL}/audiences/upload?id=list"
        await is_accessible(await wide.new_page(), path)
        dark = await narrow.new_page()
        await fits(dark, path)
        await is_accessible(dark, path, *OF_NARROW_AND_DARK)
