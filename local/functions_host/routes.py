"""Which function an HTTP request is for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from .errors import HostStartError
from .indexing import IndexedFunction

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)\}")
_LITERAL = re.compile(r"[^{}?]+")


@dataclass(frozen=True)
class Route:
    """A route template of ASP.NET, which the host uses: `{name}` is one segment, a final `{*name}` the rest."""

    function: IndexedFunction
    methods: frozenset[str]
    """Empty for all methods."""
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """The parameters in the path, which is still percent-encoded; None when this route is not meant."""
        if self.methods and method not in self.methods:
            return None
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: _decoded(value) for name, value in found.groupdict().items() if value is not None}


def routes_of(functions: list[IndexedFunction], route_prefix: str) -> list[Route]:
    """The routes of the functions with HTTP triggers, in the order in which they are to be tried."""
    routes = [_route(each, route_prefix) for each in functions if each.trigger["type"] == "httpTrigger"]
    return sorted(routes, key=lambda route: route.precedence)


def _route(function: IndexedFunction, route_prefix: str) -> Route:
    template = function.trigger.get("route")
    template = function.name if template is None else template
    segments = [*filter(None, f"{route_prefix}/{template}".split("/"))]
    pattern = ""
    precedence = []
    for position, segment in enumerate(segments):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None and _LITERAL.fullmatch(segment):
            pattern += "/" + re.escape(segment)
            precedence.append(0)
        elif parameter and not parameter["rest"]:
            pattern += f"/(?P<{parameter['name']}>[^/]+)"
            precedence.append(1)
        elif parameter and position == len(segments) - 1:
            pattern += f"(?:/(?P<{parameter['name']}>.*))?"
            precedence.append(2)
        else:
            raise HostStartError(
                f"function {function.name}: this host does not know the segment {segment!r} of its route "
                f"{template!r}. Use plain text, {{name}}, and {{*name}} at the end."
            )
    methods = frozenset(str(method).upper() for method in function.trigger.get("methods") or ())
    return Route(function, methods, re.compile(pattern + "/?", re.IGNORECASE | re.DOTALL), tuple(precedence))


def _decoded(value: str) -> str:
    # An encoded slash stays encoded, as in Azure.
    return "%2F".join(unquote(piece) for piece in re.split("%2F", value, flags=re.IGNORECASE))
