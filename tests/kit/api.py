"""The admin API over fakes, called in process."""

import base64
import json
from collections.abc import Iterable
from contextvars import ContextVar
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from shared.services.wiring import Services
from shared.web.app import ROUTERS, create_app
from shared.web.permissions import Permission
from tests.kit.world import World

BASE_URL = "https://relay.example"
_SERVED: ContextVar[World] = ContextVar("served")


def signed_in(*permissions: Permission, name: str = "ann@example.com") -> dict[str, str]:
    """The header that App Service authentication sends for somebody with these app roles."""
    roles = [{"typ": "roles", "val": str(permission)} for permission in permissions]
    claims = [{"typ": "preferred_username", "val": name}, *roles]
    document = {"auth_typ": "aad", "name_typ": "name", "role_typ": "roles", "claims": claims}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(document).encode()).decode()}


@cache
def _app(app_service_authentication: bool, public_origins: frozenset[str]) -> FastAPI:
    """One app for all worlds: making its routes takes as long as dozens of requests."""

    async def services() -> Services:
        return _SERVED.get().worker

    return create_app(services, app_service_authentication=app_service_authentication, public_origins=public_origins)


class Api(httpx.AsyncClient):
    """A client of the API over `world`, signed in with these permissions, all unless told otherwise.

    With `app_service_authentication` off, whoever gets through to the app had a function key.
    """

    def __init__(
        self,
        world: World,
        permissions: Iterable[Permission] | None = tuple(Permission),
        *,
        app_service_authentication: bool = True,
        public_origins: Iterable[str] = (),
    ) -> None:
        self.world = world
        app = _app(app_service_authentication, frozenset(public_origins))

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            _SERVED.set(world)
            await app(scope, receive, send)

        self.app = serve
        super().__init__(
            transport=httpx.ASGITransport(serve, raise_app_exceptions=False),
            base_url=BASE_URL,
            headers=None if permissions is None else signed_in(*permissions),
        )

    async def expect(self, status: int, method: str, path: str, **options: Any) -> Any:
        """The body of the answer, which must have this status."""
        answer = await self.request(method, path, **options)
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.json() if answer.content else None


def routes() -> list[tuple[str, str, APIRoute]]:
    """The method and the path of every route of the API."""
    found = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route.path, route) for route in found for method in route.methods or ()]
