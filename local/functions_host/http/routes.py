"""Which function an HTTP request is for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import HostStartError
from ..indexing import IndexedFunction

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)\}")
_LITERAL = re.compile(r"[^{}?]+")
_RESERVED = ("admin", "runtime")


@dataclass(frozen=True)
class Route:
    """A route template of ASP.NET, which the host uses: `{name}` is one segment, a final `{*name}` the rest."""

    function: IndexedFunction
    methods: frozenset[str]
    """Empty for all methods."""
    pattern: re.Pattern[str]

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """The parameters in the decoded path; None when this route is not meant."""
        if self.methods and method not in self.methods:
            return None
        found = self.pattern.fullmatch(path)
        return None if found is None else {name: value for name, value in found.groupdict().items() if value}


def routes_of(functions: list[IndexedFunction], route_prefix: str) -> list[Route]:
    """The routes of the functions with HTTP triggers, in the order in which they are tried: by the functions' names.

    The first that fits is taken, even if another fits better.
    """
    return [
        _route(function, route_prefix)
        for function in sorted(functions, key=lambda function: function.name.upper())
        if function.trigger["type"] == "httpTrigger"
    ]


def _route(function: IndexedFunction, route_prefix: str) -> Route:
    template = function.trigger.get("route")
    template = function.name if template is None else template
    segments = [*filter(None, f"{route_prefix}/{template}".split("/"))]
    if segments and segments[0].lower().startswith(_RESERVED):
        raise HostStartError(
            f"function {function.name}: its route {template!r} begins like one of the host's own. "
            f"Choose one that begins neither with {' nor with '.join(_RESERVED)}."
        )
    pattern = ""
    for position, segment in enumerate(segments):
        parameter = _PARAMETER.fullmatch(segment)
        if parameter is None and _LITERAL.fullmatch(segment):
            pattern += "/" + re.escape(segment)
        elif parameter and not parameter["rest"]:
            pattern += f"/(?P<{parameter['name']}>[^/]+)"
        elif parameter and position == len(segments) - 1:
            # An empty segment at its beginning fits no route, further on it is part of the rest.
            pattern += f"(?:/(?P<{parameter['name']}>[^/].*))?"
        else:
            raise HostStartError(
                f"function {function.name}: this host does not know the segment {segment!r} of its route "
                f"{template!r}. Use plain text, {{name}}, and {{*name}} at the end."
            )
    methods = frozenset(str(method).upper() for method in function.trigger.get("methods") or ())
    return Route(function, methods, re.compile(pattern + "/?", re.IGNORECASE | re.DOTALL))
