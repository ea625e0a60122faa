from pathlib import Path

import pytest

from local.functions_host.errors import HostStartError
from local.functions_host.indexing import IndexedFunction
from local.functions_host.routes import routes_of


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


@pytest.mark.parametrize("path", ["/api/items/a%20b", "/API/Items/a%20b/"])
def test_a_parameter_is_one_segment_decoded_and_case_does_not_count(path: str) -> None:
    assert matched(path, http_function("item", "items/{id}")) == ("item", {"id": "a b"})


def test_a_parameter_takes_neither_nothing_nor_two_segments() -> None:
    item = http_function("item", "items/{id}")
    assert matched("/api/items/", item) is None
    assert matched("/api/items/a/b", item) is None


def test_an_encoded_slash_stays_encoded_within_one_segment() -> None:
    assert matched("/api/items/a%2fb", http_function("item", "items/{id}")) == ("item", {"id": "a%2Fb"})


@pytest.mark.parametrize(
    ("path", "parameters"), [("/api", {}), ("/api/", {"rest": ""}), ("/api/a/b.js", {"rest": "a/b.js"})]
)
def test_a_catch_all_takes_the_rest_even_if_empty(path: str, parameters: dict[str, str]) -> None:
    assert matched(path, http_function("web", "{*rest}")) == ("web", parameters)


def test_text_wins_over_a_parameter_and_a_parameter_over_a_catch_all() -> None:
    functions = http_function("web", "{*rest}"), http_function("item", "items/{id}"), http_function("new", "items/new")
    assert matched("/api/items/new", *functions) == ("new", {})
    assert matched("/api/items/7", *functions) == ("item", {"id": "7"})
    assert matched("/api/items/7/parts", *functions) == ("web", {"rest": "items/7/parts"})


def test_methods_choose_between_functions_of_one_route() -> None:
    functions = http_function("read", "items", ("GET",)), http_function("write", "items", ("POST",))
    assert matched("/api/items", *functions, method="POST") == ("write", {})
    assert matched("/api/items", *functions, method="DELETE") is None


def test_the_route_prefix_may_be_empty() -> None:
    assert matched("/items", http_function("items"), prefix="") == ("items", {})


@pytest.mark.parametrize("route", ["items/{id:int}", "{*rest}/items", "items/{id?}", "a{id}"])
def test_a_template_that_is_not_understood_is_an_error(route: str) -> None:
    with pytest.raises(HostStartError, match=r"function item: .* segment"):
        routes_of([http_function("item", route)], "api")
