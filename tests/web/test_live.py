"""Pages that speak of now: what a page asks again by, and when it is told that nothing is new."""

import re

import pytest

from shared.domain.instants import MINUTE
from shared.web.console.live import LiveParts
from tests.kit.builders import item, membership
from tests.kit.console import Console
from tests.kit.world import World

PAGE = "/console/destinations/d"
FOLLOWING = (
    "/console",
    "/console/input",
    "/console/backfills",
    "/console/audiences",
    "/console/alerts",
    "/console/undelivered",
    "/console/audit",
    PAGE,
    f"{PAGE}/exports",
    f"{PAGE}/backfills",
)


@pytest.mark.parametrize("path", FOLLOWING)
async def test_a_page_whose_parts_are_the_same_is_not_sent_again(console: Console, path: str) -> None:
    assert (await console.put("/api/audiences/a", json={"name": "A"})).status_code == 201
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    await console.world.worker.runs.flush()
    page = await console.get(path)
    (etag,) = re.findall(r'id="live" data-etag="(W/&#34;[0-9a-f]{32}&#34;)"', page.text)
    assert page.headers["etag"] == etag.replace("&#34;", '"')
    again = await console.get(path, headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", page.headers["etag"])
    assert again.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in again.headers["content-security-policy"]


async def test_what_is_new_is_sent(console: Console) -> None:
    before = await console.get("/console")
    console.world.break_down("d")
    for number in range(4):
        await console.world.handle(item(f"p{number}", 1, segmentMembership=membership(1)))
    after = await console.get("/console", headers={"if-none-match": before.headers["etag"]})
    assert (after.status_code, "1 of 2 destinations down" in after.text) == (200, True)
    console.world.clock.now += MINUTE
    later = await console.get("/console", headers={"if-none-match": after.headers["etag"]})
    assert later.status_code == 200  # for how long it is down is new


async def test_what_a_form_must_carry_does_not_count_as_new(console: Console) -> None:
    first, second = [await console.get(f"{PAGE}/backfills") for _ in range(2)]
    keys = [re.findall(r'name="resync_key" value="(\w+)"', page.text) for page in (first, second)]
    assert keys[0] != keys[1]
    assert first.headers["etag"] == second.headers["etag"]


async def test_a_page_that_a_form_made_does_not_ask_again(console: Console) -> None:
    found = await console.submit("/console/undelivered", {"profile_id": "p"})
    assert ("data-part" in found.text, 'id="live"' in found.text, "etag" in found.headers) == (True, False, False)


@pytest.mark.parametrize("path", [f"{PAGE}/edit", f"{PAGE}/settings", f"{PAGE}/mapping", "/console/why"])
async def test_a_page_that_does_not_speak_of_now_has_no_tag(console: Console, path: str) -> None:
    page = await console.get(path)
    assert ('id="live"' in page.text, "etag" in page.headers) == (False, False)


async def test_what_stands_still_is_said_on_pages_that_are_open(world: World) -> None:
    async with Console(world) as console:
        assert re.search(
            r'<div class="part" id="stands-still" data-part>\s*</div>', (await console.get("/console")).text
        )


def test_every_part_counts() -> None:
    tags = set()
    for parts in (
        [("a", "x")],
        [("a", "x"), ("b", "")],
        [("a", "x"), ("b", "y")],
        [("ax", "")],
        [("a", ""), ("x", "")],
    ):
        live = LiveParts()
        for part in parts:
            live.add(*part, every=60)
        tags.add(live.etag)
        assert (live.every, live.follow) == (60, len(parts) > 1)
    assert len(tags) == 5
    live = LiveParts()
    for every in (60, 5, 15):
        live.add("part", "", every)
    assert live.every == 5
