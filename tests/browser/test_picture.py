"""The picture of the console in the README, made of the real page: `make picture` writes it anew."""

import os
import random
from collections import Counter
from pathlib import Path

from playwright.async_api import Browser

from local.stack.part import PROJECT
from shared.domain.instants import MILLISECOND, MINUTE
from shared.domain.runs import SLOT, Histogram, RunCounts, RunSlot, slot_of
from shared.errors import FailureCode, SendError
from tests.browser.in_process import URL, serve
from tests.kit.builders import NOW, configuration, destination, item, membership
from tests.kit.console import Console
from tests.kit.world import World

PICTURE = PROJECT / "docs/console.png"
WIDTH, HEIGHT = 1200, 640
NAMES = {
    "ads": "Ads platform",
    "analytics": "Analytics",
    "call-center": "Call center",
    "crm": "CRM",
    "fraud": "Fraud scoring",
    "loyalty": "Loyalty programme",
    "mail": "Mailings",
    "warehouse": "Warehouse",
}
PAUSED, WITHOUT_DATAFLOW, DOWN = "mail", "fraud", "crm"


async def busy_world() -> World:
    """A day of exports, one destination that is down, one that is paused and one that nothing is mapped to."""
    world = World()
    document = {
        "destinations": [destination(each) | {"name": name} for each, name in NAMES.items()],
        "dataflows": [
            {"id": each, "audiences": ["a"], "enabled": each != PAUSED} for each in NAMES if each != WITHOUT_DATAFLOW
        ],
    }
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    world.worker = world.new_worker()
    rng = random.Random(2)
    for place, each in enumerate(NAMES):
        if each in {PAUSED, WITHOUT_DATAFLOW}:
            continue
        for hour in range(24):
            latency = Histogram()
            for _ in range(20):
                latency.add(rng.randint(60, 240) * MILLISECOND)
            exports = int((300 + 1_500 * (hour % 24 < 14)) * (place + 1) * rng.uniform(0.7, 1.3))
            counts = RunCounts(activated=Counter({"audience": exports}), latency=latency)
            await world.runs.put(each, RunSlot(slot_of(NOW) - hour * 6 * SLOT, counts), "one")
    world.sender.failures[DOWN] = lambda down: SendError(
        down, "contoso.servicebus.windows.net: no answer within 5 s", FailureCode.UNREACHABLE
    )
    for number in range(3):
        await world.handle(item(f"p{number}", 1, segmentMembership=membership(1)), message_id=f"m{number}")
    world.clock.now += 9 * MINUTE
    return world


async def test_the_picture_is_of_the_page(browser: Browser, tmp_path: Path) -> None:
    context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    async with Console(await busy_world()) as console:
        await serve(context, console)
        page = await context.new_page()
        await page.goto(URL)
        assert await page.locator("tbody tr").count() == len(NAMES)
        made = PICTURE if os.environ.get("WRITE_PICTURE") else tmp_path / "console.png"
        await page.screenshot(path=made)
    # How letters look depends on the machine, so that what is compared is the size.
    assert _size(PICTURE) == _size(made) == (WIDTH, HEIGHT)
    assert PICTURE.stat().st_size < 200_000


def _size(png: Path) -> tuple[int, int]:
    header = png.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    return int.from_bytes(header[16:20]), int.from_bytes(header[20:24])
