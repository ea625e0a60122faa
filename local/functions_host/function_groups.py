"""Which functions share an instance on Flex Consumption: all with an HTTP trigger; every other function is alone."""

from .errors import HostStartError
from .indexing import IndexedFunction

_HTTP = "http"


def in_group(functions: list[IndexedFunction], group: str | None) -> list[IndexedFunction]:
    """The functions that an instance of this group serves: `http`, `function:NAME`, or None for all of them."""
    if group is None:
        return functions
    chosen = [function for function in functions if _group_of(function).lower() == group.lower()]
    if not chosen:
        groups = ", ".join(sorted({_group_of(function) for function in functions}))
        raise HostStartError(f"--function-group {group}: there is no such group. Choose one of: {groups}.")
    return chosen


def _group_of(function: IndexedFunction) -> str:
    return _HTTP if function.trigger["type"] == "httpTrigger" else f"function:{function.name}"
