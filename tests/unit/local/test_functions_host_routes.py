from pathlib import Path

import pytest

from local.functions_host.errors import HostStartError
from local.functions_host.http.routes import routes_of
from local.functions_host.indexing import IndexedFunction


def http_function(name: str, route: str | None = None, methods: tuple[str, ...] = ()) -> IndexedFunction:
    trigger = {"type": "httpTrigger", "name": "req", "route": route, "methods": methods}
    return IndexedFunction(name, Path(), lambda req: None, trigger, (), takes_context=False)


def matched(
    path: str, *functions: IndexedFunction, method: str = "GET", prefix: str = "api"
) -> tuple[str, dict[str, str]] | None:
    for route in routes_of(list(functions), prefix):
        if (parameters := route.match(method, path)) is not None:
            return route.function.name, dict(parameters)
    return None


def test_a_function_without_route_is_reached_by_its_name() -> None:
    assert matched("/api/export", http_function("export")) == ("export", {})


@pytest.mark.parametrize("path", ["/api/items/a b", "/API/Items/a b/"])
def test_a_parameter_is_one_segment_and_case_does_not_count(path: str) -> None:
    assert matched(path, http_function("item", "items/{id}")) == ("item", {"id": "a b"})


def test_a_parameter_takes_neither_nothing_nor_two_segments() -> None:
    item = http_function("item", "items/{id}")
    assert matched("/api/items/", item) is None
    assert matched("/api/items/a/b", item) is None


@pytest.mark.parametrize(
    ("path", "parameters"),
    [("/api", {}), ("/api/", {}), ("/api/a/b.js", {"rest": "a/b.js"}), ("/api/a//b/", {"rest": "a//b/"})],
)
def test_a_catch_all_takes_the_rest_even_if_there_is_none(path: str, parameters: dict[str, str]) -> None:
    assert matched(path, http_function("web", "{*rest}")) == ("web", parameters)


@pytest.mark.parametrize("path", ["//api/a", "/api//a", "/api//"])
def test_an_empty_segment_before_the_rest_fits_no_route(path: str) -> None:
    assert matched(path, http_function("web", "{*rest}")) is None


def test_the_first_function_by_name_wins_whatever_its_route() -> None:
    functions = http_function("b", "items/new"), http_function("A", "items/{id}"), http_function("c", "{*rest}")
    assert matched("/api/items/new", *functions) == ("A", {"id": "new"})
    assert matched("/api/items/7/parts", *functions) == ("c", {"rest": "items/7/parts"})


def test_methods_choose_between_functions_of_one_route() -> None:
    functions = http_function("read", "items", ("GET",)), http_function("write", "items", ("POST",))
    assert matched("/api/items", *functions, method="POST") == ("write", {})
    assert matched("/api/items", *functions, method="DELETE") is None


def test_the_route_prefix_may_be_empty() -> None:
    assert matched("/items", http_function("items"), prefix="") == ("items", {})
    assert matched("/", http_function("home", "/"), prefix="") == ("home", {})


@pytest.mark.parametrize("route", ["admin/x", "Administration", "runtime"])
def test_a_route_that_begins_like_the_hosts_own_is_refused(route: str) -> None:
    with pytest.raises(HostStartError, match="begins like one of the host's own"):
        routes_of([http_function("item", route)], "")


@pytest.mark.parametrize("route", ["items/{id:int}", "{*rest}/items", "items/{id?}", "a{id}"])
def test_a_template_that_is_not_understood_is_an_error(route: str) -> None:
    with pytest.raises(HostStartError, match=r"function item: .* segment"):
        routes_of([http_function("item", route)], "api")
