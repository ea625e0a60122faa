"""Who may do what: every route, with each of its app roles missing; and when the caller's header counts at all."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from shared.web.api.openapi import PATH as OPENAPI_PATH
from shared.web.guarded import PERMISSIONS, GuardedRoute
from shared.web.permissions import KEY_HOLDER, Permission, principal_of
from shared.web.problems import ProblemError
from tests.kit.api import Api, routes, signed_in
from tests.kit.world import World

ROOT = Path(__file__).parents[2]
ROUTES = routes()
NAMES = [f"{method} {path}" for method, path, _ in ROUTES]


def required(route: APIRoute) -> set[Permission]:
    return {Permission(name) for name in (route.openapi_extra or {})[PERMISSIONS]}


def some(path: str) -> str:
    """A path that the route takes."""
    return re.sub(r"\{\w+\}", "x", path)


MATRIX = [(method, path, missing) for method, path, route in ROUTES for missing in sorted(required(route))]


def test_every_route_is_guarded() -> None:
    assert len(ROUTES) > 15
    assert [path for _, path, route in ROUTES if not isinstance(route, GuardedRoute) or not required(route)] == []


@pytest.mark.parametrize(("method", "path", "missing"), MATRIX, ids=[f"{m} {p} without {r}" for m, p, r in MATRIX])
async def test_a_role_that_is_missing(world: World, method: str, path: str, missing: Permission) -> None:
    async with Api(world, set(Permission) - {missing}) as api:
        problem = await api.expect(403, method, some(path), content=b"{not even JSON")
    assert f"app role {missing}" in problem["detail"]
    assert world.audit.entries == {}


@pytest.mark.parametrize(("method", "path", "_route"), ROUTES, ids=NAMES)
async def test_nobody_gets_through_unless_signed_in(world: World, method: str, path: str, _route: APIRoute) -> None:
    async with Api(world, None) as api:
        await api.expect(401, method, some(path))


@pytest.mark.parametrize(("method", "path", "route"), ROUTES, ids=NAMES)
async def test_the_roles_that_a_route_needs_are_enough(world: World, method: str, path: str, route: APIRoute) -> None:
    async with Api(world, required(route)) as api:
        answer = await api.request(method, some(path))
    assert answer.status_code not in {401, 403, 405}
    assert answer.status_code < 500


async def test_without_app_service_authentication_the_header_says_nothing(world: World) -> None:
    async with Api(world, (), app_service_authentication=False) as api:
        await api.expect(201, "PUT", "/api/audiences/a", json={"name": "A"})
    (entry,) = world.audit.entries.values()
    assert entry.who == KEY_HOLDER.name


@pytest.mark.parametrize(
    "header",
    ["", "!", "bm90IEpTT04=", "W10=", "eyJjbGFpbXMiOlt7fV19", "eyJjbGFpbXMiOjF9"],
    ids=["empty", "no base64", "no JSON", "no object", "empty claim", "no claims"],
)
def test_a_header_that_is_none(header: str) -> None:
    with pytest.raises(ProblemError) as raised:
        principal_of({"x-ms-client-principal": header}, app_service_authentication=True)
    assert raised.value.status == 401


def test_roles_count_whatever_the_token_calls_them() -> None:
    header = {name.lower(): value for name, value in signed_in(Permission.VIEW_PROFILES).items()}
    principal = principal_of(header, app_service_authentication=True)
    assert (principal.name, principal.permissions) == ("ann@example.com", frozenset({Permission.VIEW_PROFILES}))


async def test_the_document_is_open_to_whoever_gets_through(world: World) -> None:
    async with Api(world, ()) as api:
        document: Any = await api.expect(200, "GET", OPENAPI_PATH)
    operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert operations == {(method, path) for method, path, _ in ROUTES}


def test_the_table_in_the_docs_is_the_codes() -> None:
    text = (ROOT / "docs/api.md").read_text()
    rows = re.findall(r"^\| `([A-Z]+) (/api/[^`]+)` \| ([^|]*) \|", text, re.MULTILINE)
    table = {(method, path): {name.strip() for name in names.split(",")} for method, path, names in rows}
    code = {(method, path): {str(permission) for permission in required(route)} for method, path, route in ROUTES}
    assert table == code
