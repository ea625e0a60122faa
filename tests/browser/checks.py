"""What holds for every page: it fits a phone, and it is accessible."""

from playwright.async_api import Page

from local.stack.part import PROJECT

AXE = (PROJECT / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


async def fits(page: Page, url: str) -> None:
    """On a window 360 pixels wide nothing has to be moved sideways."""
    await page.goto(url)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360, url
    await page.close()


async def is_accessible(page: Page, url: str) -> None:
    """The context must do without the content security policy, which keeps the checker out."""
    await page.goto(url)
    await page.add_script_tag(content=AXE)
    result = await page.evaluate("axe.run()")
    findings = [
        (each["id"], node["html"][:200], node["failureSummary"])
        for each in result["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
    assert findings == [], url
    assert result["passes"]
    await page.close()
