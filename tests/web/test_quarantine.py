"""What is in quarantine, over the API: listed, shown, downloaded, replayed, dropped."""

import base64

import pytest

from shared.ports.quarantine import QuarantinedItem
from tests.kit.api import Api
from tests.kit.builders import NOW
from tests.kit.world import World

PATH = "/api/quarantine"
BODIES = [b'{"profileId": "p"}', b"\xff<script>", b"x" * 70_000]


@pytest.fixture
async def world() -> World:
    world = World()
    for number, body in enumerate(BODIES):
        reason = f"item {number}: /x: expected ü"
        await world.quarantine.put(QuarantinedItem(f"m{number}", number, NOW + number * 1_000_000, reason, body, "p"))
    return world


async def ids(api: Api) -> list[str]:
    return [entry["rowId"] for entry in (await api.expect(200, "GET", PATH))["entries"]]


async def test_pages_are_newest_first(api: Api) -> None:
    first = await api.expect(200, "GET", f"{PATH}?limit=2")
    second = await api.expect(200, "GET", f"{PATH}?limit=2&token={first['next']}")
    entries = [*first["entries"], *second["entries"]]
    assert ([entry["item"] for entry in entries], second["next"]) == ([2, 1, 0], None)
    assert entries[0].keys() == {"rowId", "messageId", "item", "receivedAt", "reason", "code", "profileKey"}
    sought = await api.expect(200, "GET", f"{PATH}?reason=item%201")
    assert [entry["messageId"] for entry in sought["entries"]] == ["m1"]
    for query in ("token=x", "limit=0", "limit=201", f"reason={'x' * 201}"):
        await api.expect(422, "GET", f"{PATH}?{query}")


async def test_an_item_is_shown_and_downloaded_as_it_was_received(api: Api) -> None:
    _, odd, text = await ids(api)
    shown = await api.expect(200, "GET", f"{PATH}/{text}")
    assert (shown["body"].encode(), shown["bodyBase64"], shown["reason"]) == (BODIES[0], None, "item 0: /x: expected ü")
    assert base64.b64decode((await api.expect(200, "GET", f"{PATH}/{odd}"))["bodyBase64"]) == BODIES[1]
    answer = await api.get(f"{PATH}/{odd}/content")
    assert (answer.content, answer.headers["content-type"]) == (BODIES[1], "application/octet-stream")
    assert answer.headers["content-disposition"] == f'attachment; filename="{odd}"'
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_item_is_replayed(api: Api) -> None:
    large, _, text = await ids(api)
    assert await api.expect(200, "POST", f"{PATH}/{text}/replay") == {"rowId": text}
    assert (api.world.changes.bodies, text in await ids(api)) == ([BODIES[0]], False)
    await api.expect(404, "POST", f"{PATH}/{text}/replay")
    problem = await api.expect(409, "POST", f"{PATH}/{large}/replay")
    assert (problem["detail"], large in await ids(api)) == ("too large for a queue message", True)


async def test_an_item_is_dropped(api: Api) -> None:
    large, odd, text = await ids(api)
    await api.expect(204, "DELETE", f"{PATH}/{odd}")
    assert (await ids(api), api.world.changes.bodies) == ([large, text], [])
    await api.expect(422, "GET", f"{PATH}/%27%20or")
    for method, path in (("DELETE", ""), ("GET", ""), ("GET", "/content")):
        await api.expect(404, method, f"{PATH}/{odd}{path}")
