"""What holds for every page: it fits a phone, and it is accessible."""

from playwright.async_api import Browser, BrowserContext, Error, Locator, Page

from local.stack.part import PROJECT

AXE = (PROJECT / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
# What may be different there from a wide and light page: the rest is said once.
OF_NARROW_AND_DARK = ("color-contrast", "target-size", "scrollable-region-focusable")


async def checked(browser: Browser) -> list[BrowserContext]:
    """Wide and light, narrow and dark. The content security policy keeps the checker out, so they do without it."""
    return [
        await browser.new_context(bypass_csp=True, viewport={"width": 1200, "height": 800}),
        await browser.new_context(bypass_csp=True, viewport={"width": 360, "height": 800}, color_scheme="dark"),
    ]


async def visit(page: Page, url: str) -> None:
    """Go there, also from a page that loads itself again at that moment."""
    try:
        await page.goto(url)
    except Error as error:
        if "ERR_ABORTED" not in error.message:
            raise
        await page.goto(url)


# Words that are on more than one line.
_BROKEN = """() => [...document.querySelectorAll("table .num, .pill, thead th, .tabs a, .button")].flatMap((part) => {
  const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  const broken = [];
  while (walker.nextNode()) {
    for (const word of walker.currentNode.data.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, word.index);
      range.setEnd(walker.currentNode, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
      if (lines.size > 1) broken.push(part.textContent);
    }
  }
  return broken;
})"""


async def fits(page: Page, url: str) -> None:
    """On a window 360 pixels wide nothing has to be moved sideways, and no number, state or heading of a column is
    broken within a word.
    """
    await visit(page, url)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360, url
    assert await page.evaluate(_BROKEN) == [], url


async def tab_to(page: Page, wanted: Locator, most: int) -> None:
    """By the Tab key alone, pressed at most so often."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("part => part === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached by pressing Tab {most} times")


async def is_accessible(page: Page, url: str, *rules: str) -> None:
    """By `rules` of the checker, or by all. The page's context must do without the content security policy, which keeps
    the checker out.
    """
    if page.url != url:
        await visit(page, url)
    await page.add_script_tag(content=AXE)
    result = await page.evaluate("rules => axe.run(rules.length ? { runOnly: rules } : {})", rules)
    findings = [
        (each["id"], node["html"][:200], node["failureSummary"])
        for each in result["violations"]
        for node in each["nodes"]
    ]
    assert findings == [], url
    assert result["passes"]


async def is_fit_for_all(light: Page, dark: Page, url: str) -> None:
    """Accessible in both of the contexts that `checked` makes, and fit for the narrow one."""
    await is_accessible(light, url)
    await fits(dark, url)
    await is_accessible(dark, url, *OF_NARROW_AND_DARK)
