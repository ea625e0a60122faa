"""A mapping tried from the console: beside Save, with its figures, until it is made live or dropped."""

import re
from html import unescape
from typing import Any

from shared.errors import StorageError
from shared.web.permissions import Permission
from tests.kit.builders import item, membership
from tests.kit.console import Console, text_of
from tests.kit.world import World

PAGE = "/console/destinations/d/mapping"
BUTTON, PANEL = "Try beside live", "Tried beside the live mapping"


async def shown(console: Console, name: str) -> str:
    """The value of a hidden field of the page."""
    return unescape(re.findall(rf'name="{name}" value="([^"]*)"', (await console.get(PAGE)).text)[0])


async def form(console: Console, **fields: Any) -> dict[str, Any]:
    """A candidate: another audience, another attribute."""
    return {
        "etag": await shown(console, "etag"),
        "tried": await shown(console, "tried"),
        "audience": ["ups/a"],
        "others": "b",
        "attributes": "/x\n/y",
        "trigger_audience": "on",
        "hours": "24",
        **fields,
    }


async def begin(console: Console, **fields: Any) -> None:
    answer = await console.submit(f"{PAGE}/shadow", await form(console, **fields))
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?done=tried"), answer.text


async def test_it_is_tried_instead_of_saved(console: Console) -> None:
    before = (await console.world.configuration.load()).configuration.dataflows
    page = await console.page(PAGE)
    assert BUTTON in page
    assert PANEL not in page
    await begin(console)
    stored = (await console.world.configuration.load()).configuration
    assert stored.dataflows == before
    (shadow,) = stored.shadows
    assert [each.id for each in shadow.candidate.audiences] == ["a", "b"]
    assert shadow.ends_at - shadow.started_at == 24 * 3_600_000
    page = await console.page(PAGE)
    assert f"{PANEL} Counting " in page
    assert "ends in 1 d " in page
    assert "It goes on when a mapping is saved below; Try beside live replaces it." in page
    assert "1 audience added: b ups/b" in page
    assert "1 attribute added: /y" in page
    assert "Making it live: 1 audience added · a backfill of the members of 1 audience, not counted yet" in page
    assert "A month is estimated once ten minutes are counted." in page


async def test_its_figures_beside_those_of_the_live_mapping(console: Console) -> None:
    world = console.world
    await begin(console)
    await world.handle(item("p", 1, segmentMembership=membership(1)), message_id="m1")
    await world.handle(item("p", 2, attributes={"x": 1, "y": 2}), message_id="m2")
    await world.handle(item("p", 3, segmentMembership=membership(3, audience="b")), message_id="m3")
    await world.handle(item("q", 3, segmentMembership=membership(3, "exited")), message_id="m4")
    await world.worker.runs.flush()
    await world.clock.sleep(3_600)
    page = await console.page(PAGE)
    assert "Exports 2 2 by attribute 1 0 by audience 1 2 Only by this one 1 1 Bytes of bodies" in page
    assert "Exports a month 1,460 1,460 Throughput units, at the busiest 1 1 USD a month 21.90 21.90" in page
    assert "Of 1 change that both export, 0 have a different body." in page
    preview = await console.submit(f"{PAGE}/preview", await form(console))
    assert PANEL in text_of(preview)
    live = await console.submit(f"{PAGE}/preview", await form(console, live="on"))
    assert PANEL not in live.text
    assert f'name="tried" value="{await shown(console, "tried")}"' in unescape(live.text)


async def test_over_it_says_so_and_its_figures_stay(console: Console) -> None:
    await begin(console, hours="1")
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    await console.world.worker.runs.flush()
    await console.world.clock.sleep(3 * 3_600)
    page = await console.page(PAGE)
    assert f"{PANEL} Over Over since 2 h ; the counts stay" in page
    assert "Exports 1 1" in page


async def test_made_live_from_the_panel(console: Console) -> None:
    await begin(console)
    answer = await console.submit(f"{PAGE}/shadow/make-live", {"tried": await shown(console, "tried")})
    assert answer.headers["location"] == f"{PAGE}?done=saved"
    stored = (await console.world.configuration.load()).configuration
    assert [each.id for each in stored.dataflow("d").audiences] == ["a", "b"]
    assert (stored.shadows, len(stored.requested_backfills)) == ([], 1)
    assert PANEL not in await console.page(PAGE)


async def test_dropped_from_the_panel(console: Console) -> None:
    before = (await console.world.configuration.load()).configuration.dataflows
    await begin(console)
    answer = await console.submit(f"{PAGE}/shadow/drop", {"tried": await shown(console, "tried")})
    assert answer.headers["location"] == f"{PAGE}?done=untried"
    stored = (await console.world.configuration.load()).configuration
    assert (stored.dataflows, stored.shadows) == (before, [])


async def test_nobody_makes_live_or_replaces_what_they_have_not_seen(console: Console) -> None:
    stale = await form(console)
    await begin(console)
    seen = {"tried": await shown(console, "tried")}
    assert "Somebody else changed it" in text_of(await console.submit(f"{PAGE}/shadow", stale), 412)
    await console.submit(PAGE, await form(console, others="c"))
    for path in ("make-live", "drop"):
        assert "Somebody else changed it" in text_of(await console.submit(f"{PAGE}/shadow/{path}", seen), 412)
    page = await console.page(PAGE)
    assert "was changed meanwhile: what is counted as live is of more than one" in page
    assert "Making it live takes something away: removes the audience ups/c from what d's consumers read" in page


async def test_what_is_wrong_is_said_as_for_save(console: Console) -> None:
    wrong = await console.submit(f"{PAGE}/shadow", await form(console, attributes="list[0]"))
    assert "expected a path that ends at the array" in text_of(wrong, 422)
    wrong = await console.submit(f"{PAGE}/shadow", await form(console, hours="999"))
    assert "Expected one of the durations that the form offers" in text_of(wrong, 422)
    assert (await console.world.configuration.load()).configuration.shadows == []


async def test_without_all_app_roles_it_is_only_seen(world: World) -> None:
    async with Console(world) as everybody:
        await begin(everybody)
    async with Console(world, {Permission.VIEW_SEGMENTS, Permission.MANAGE_DESTINATIONS}) as analyst:
        page = await analyst.page(PAGE)
        assert PANEL in page
        assert BUTTON not in page
        assert "Make it live" not in page
        for path in ("", "/make-live", "/drop"):
            text_of(await analyst.submit(f"{PAGE}/shadow{path}"), 403)


async def test_without_a_dataflow_there_is_nothing_to_try_beside(console: Console) -> None:
    stored = (await console.world.configuration.load()).configuration
    console.world.configuration.put(stored.model_copy(update={"dataflows": []}))
    assert BUTTON not in await console.page(PAGE)
    fields = {"audience": "ups/a", "hours": "24"}
    assert "There is no dataflow with this id" in text_of(await console.submit(f"{PAGE}/shadow", fields), 404)


async def test_counts_that_cannot_be_read_take_nothing_else_from_the_page(console: Console, monkeypatch: Any) -> None:
    await begin(console)

    async def fails(*_: Any) -> Any:
        raise StorageError("the table does not answer")

    monkeypatch.setattr(type(console.world.runs), "read", fails)
    page = await console.page(PAGE)
    assert "What was counted could not be read: the table does not answer" in page
    assert BUTTON in page
