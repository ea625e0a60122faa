"""Whatever an id looks like, a path means that object or is refused: as the Functions host hands paths over."""

import json
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from local.functions_host.http.paths import decoded_path, encoded_path
from shared.domain.configuration.model import Audience, Configuration
from shared.domain.configuration.plan import plan_changes
from shared.services.configuration.edit import as_file
from tests.kit.api import Api, routes
from tests.kit.builders import NOW
from tests.kit.console import SAME_ORIGIN, Console, page_routes
from tests.kit.environments import CHECKOUT
from tests.kit.hosted import HostedTransport
from tests.kit.world import World

NAMED = (
    *("a;b", "analytics;old", "aAb", "a%41b", "a%2541b", "100%", "100%25", "a%3Bb", "a%20b", "a b", "a+b", "a\\b"),
    *("a?b", "a#b", "a%23b", "a&b=c", "a:b", "a@b", "[a]", "a|b", 'a"b', "o'hara", "<script>", "ü", "caf%C3%A9", "€"),
    *("😀", "a\nb", "a\tb", "a\rb", "\x7f", "\u2028", "\ufeffa", "\xa0", "~", "...", "..a", "%zz", "%u20ac", "{id}"),
    *("a,b", "*", "members", "uploads", "a" * 512, "😀" * 512),
)
"""What a path can name."""
UNNAMED = ("a/b", "/", "a%2Fb", "a%2fb", "%FF", "a%80b", "%E2%82", ".", "..", "a\0b")
ALIKE = ("analytics", "a", "aAb", "100", "uploads", "members", "b")
"""What could be meant by mistake."""


Client = TypeVar("Client", bound=Api)


@pytest.fixture
def world() -> World:
    return with_audiences(*ALIKE)


def with_audiences(*audience_ids: str) -> World:
    world = World()
    stored = configured(world)
    file = as_file(stored).model_copy(update={"audiences": [Audience(id=each) for each in audience_ids]})
    world.configuration.put(plan_changes(stored, file, NOW // 1000).configuration)
    return world


def hosted(api: Client) -> Client:
    api._transport = HostedTransport(api.app)
    return api


def configured(world: World) -> Configuration:
    return Configuration.model_validate_json(world.configuration.document)


def ids_in(world: World) -> set[str]:
    return {audience.id for audience in configured(world).audiences}


RECORDED = json.loads((CHECKOUT / "tests/fixtures/host-paths.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("sent", "url", "path"), RECORDED)
def test_the_host_of_these_tests_decodes_as_the_real_one(sent: str, url: str | None, path: str | None) -> None:
    decoded = decoded_path(f"/{sent}")
    if path is None:
        assert "\0" in decoded  # which the host refuses
    else:
        assert decoded == f"/{path}"
        assert encoded_path(decoded) == f"/{url}"


@pytest.mark.parametrize("audience_id", NAMED)
async def test_an_audience_is_the_one_that_is_named(world: World, audience_id: str) -> None:
    path = f"/api/audiences/{quote(audience_id, safe='')}"
    others = set(ALIKE) - {audience_id}
    async with hosted(Api(world)) as api:
        created = await api.put(path, json={"name": "A", "origin": "custom-upload"})
        assert created.status_code in {200, 201}, created.text
        assert ids_in(world) == {*others, audience_id}
        assert (await api.expect(200, "GET", path))["id"] == audience_id
        upload = await api.expect(202, "POST", f"{path}/members", content=b"profileId\np\n", headers=CSV)
        assert [each["id"] for each in (await api.expect(200, "GET", f"{path}/uploads"))["uploads"]] == [upload["id"]]
        await api.expect(204, "DELETE", path)
    assert ids_in(world) == others
    (deleted,) = [each.what for each in world.audit.entries.values() if each.what.startswith("DELETE")]
    assert decoded_path(deleted.removeprefix("DELETE ")) == f"/api/audiences/{audience_id}"


CSV = {"content-type": "text/csv"}


@pytest.mark.parametrize("audience_id", UNNAMED)
async def test_what_no_path_can_name_is_refused_and_nobody_else_is_meant(audience_id: str) -> None:
    world = with_audiences(*ALIKE, audience_id)
    before = configured(world)
    # A client would take the dots for steps itself.
    path = f"/api/audiences/{quote(audience_id, safe='').replace('.', '%2E')}"
    async with hosted(Api(world)) as api:
        for method, body in (("GET", None), ("PUT", {"name": "A"}), ("DELETE", None)):
            answer = await api.request(method, path, json=body)
            assert answer.status_code in {400, 404}
        answer = await api.post(f"{path}/members", content=b"profileId\np\n", headers=CSV)
        assert answer.status_code in {400, 404, 405}
        (warning,) = (await api.expect(200, "GET", "/api/audiences"))["warnings"]
    assert warning.startswith(f"audience ups/{audience_id}: no path of the API can name it (")
    assert configured(world) == before


@pytest.mark.parametrize("audience_id", UNNAMED)
async def test_what_no_path_can_name_is_refused_in_a_file_unless_it_is_there(world: World, audience_id: str) -> None:
    file = {"audiences": [{"id": "new"}, {"id": audience_id}]}
    async with Api(world) as api:
        refused = await api.expect(422, "PUT", "/api/config", json=file)
        assert refused["errors"][0].startswith("/audiences/1/id: expected an id that a path of the API can name: it ")
        assert ids_in(world) == set(ALIKE)
    world = with_audiences(audience_id)
    async with Api(world) as api:
        changed = file | {"audiences": [{"id": audience_id, "name": "changed"}]}
        answer = await api.expect(200, "PUT", "/api/config", json=changed)
    assert answer["warnings"][0].startswith(f"audience ups/{audience_id}: no path")


OTHERS = [
    (method, path)
    for method, path, _ in [*routes(), *page_routes()]
    if "{" in path and not path.startswith("/api/audiences/{")
]


@pytest.mark.parametrize("odd", [each for each in (*NAMED, *UNNAMED) if not each.islower() or not each.isalpha()])
async def test_no_other_route_takes_an_odd_id_for_another(world: World, odd: str) -> None:
    """Ids of all other kinds are plain: an odd one is none, never the start of one nor what it decodes to."""
    world = with_audiences(*ALIKE)
    before = configured(world)
    named = quote(f"d{odd}", safe="").replace(".", "%2E")
    async with hosted(Console(world)) as client:
        for method, path in OTHERS:
            filled = "/".join(named if piece.startswith("{") else piece for piece in path.split("/"))
            answer = await client.request(method, filled, headers=SAME_ORIGIN)
            assert 400 <= answer.status_code < 500, (method, filled, answer.status_code)
            assert answer.status_code != 405, (method, filled)
    assert configured(world) == before


@pytest.mark.parametrize(
    "path", ["/api/profiles/%FF", "/api/%ff", "/api/audiences/a%C3", "/api/audiences/x?namespace=%FF"]
)
async def test_what_is_no_utf8_is_a_problem_that_says_so(world: World, path: str) -> None:
    async with hosted(Api(world)) as api:
        problem = await api.expect(400, "GET", path)
    assert "not UTF-8" in problem["detail"]


@pytest.mark.parametrize("path", ["/console/%FF", "/console/destinations/%FF", "/console/quarantine?reason=%FF"])
async def test_the_console_says_so_on_a_page(world: World, path: str) -> None:
    async with hosted(Console(world)) as console:
        assert "not UTF-8" in await console.page(path, 400)


async def test_a_slash_within_an_id_is_refused_with_what_to_do_instead(world: World) -> None:
    async with hosted(Api(world)) as api:
        problem: dict[str, Any] = await api.expect(400, "GET", "/api/audiences/a%2Fb")
    assert "PUT /api/config" in problem["detail"]
