"""A receiver of webhooks on this machine, for tests."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web


@dataclass
class Webhook:
    """Where alerts are posted to, and what was."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list)


Hook = TypeVar("Hook", bound=Webhook)


@asynccontextmanager
async def listening(kind: type[Hook]) -> AsyncIterator[Hook]:
    """Takes every event, on a free port."""

    async def take(request: web.Request) -> web.Response:
        hook.events.append(json.loads(await request.read()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = kind(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
    yield hook
    await runner.cleanup()
