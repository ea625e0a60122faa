"""The console where nobody can be signed in: it says how to change that, and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.web import app
from shared.web.console.pages import TAGS
from shared.web.permissions import Permission
from tests.kit.api import BASE_URL, Api, signed_in
from tests.kit.console import SAME_ORIGIN, page_routes, text_of
from tests.kit.world import World
from tests.web.test_console import some

PATHS = [(method, some(path)) for method, path, _ in page_routes()]


@pytest.fixture
async def closed(world: World) -> AsyncIterator[Api]:
    """Asked by whoever has a function key, and says to be signed in."""
    async with Api(world, app_service_authentication=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), [*PATHS, ("GET", "/console/nothing")], ids=str)
async def test_every_page_says_how_to_open_it(closed: Api, method: str, path: str) -> None:
    answer = await closed.request(method, path, params={"code": "the-function-key"}, headers=SAME_ORIGIN)
    text = text_of(answer, 403)
    assert "App Service authentication is off" in text
    assert all(f" {permission} :" in text for permission in Permission)
    assert "docs/console.md" in text
    assert "the-function-key" not in answer.text
    assert "set-cookie" not in answer.headers
    for shown in ("function key</span>", "<nav", "<form", "/console/undelivered"):
        assert shown not in answer.text
    assert closed.world.audit.entries == {}


async def test_its_style_is_to_be_had_and_so_is_the_api(closed: Api) -> None:
    address = f"/console/assets/{TAGS['style.css']}/style.css"
    assert address in (await closed.get("/console")).text
    assert (await closed.get(address)).status_code == 200
    assert (await closed.expect(200, "GET", "/api/destinations"))["destinations"]


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({"RELAY_STORAGE__tableServiceUri": "https://relay.table.core.windows.net"}, 403),
        ({"RELAY_STORAGE": "UseDevelopmentStorage=true"}, 200),
        ({"RELAY_STORAGE__tableServiceUri": "https://x.table.core.windows.net", "WEBSITE_AUTH_ENABLED": "True"}, 200),
    ],
    ids=["in Azure", "on the local stack", "with App Service authentication"],
)
async def test_it_is_closed_by_the_settings(
    world: World, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], status: int
) -> None:
    class Relay:
        services = world.worker

    async def relay() -> Any:
        return Relay

    monkeypatch.setattr(app, "app_settings", lambda: environment)
    monkeypatch.setattr(app, "relay", relay)
    app.asgi_app.cache_clear()
    try:
        transport = httpx.ASGITransport(app.asgi_app())
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=signed_in(*Permission)) as client:
            assert (await client.get("/console")).status_code == status
    finally:
        app.asgi_app.cache_clear()
