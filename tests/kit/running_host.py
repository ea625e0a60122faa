"""Which Functions host runs the app in the tests, and what it promises: the stand-in, unless TEST_HOST says `real`.

What only one of the hosts has, such as the form of its log lines or how long it hides a message that is in hand, is
asked for here and nowhere else.
"""

import os
import re

import pytest

from local.stack.functions_host import HostKind

KIND = HostKind(os.environ.get("TEST_HOST", HostKind.STAND_IN))

needs_short_lease = pytest.mark.skipif(
    KIND is not HostKind.STAND_IN,
    reason="a message in the hands of a host that is killed comes back after seconds from the stand-in alone, and from "
    "the others after ten minutes",
)

OPTIONS = () if KIND is HostKind.STAND_IN else ("--host", KIND.value)
"""For `python -m local up` and `demo`."""

PROCESS = {
    HostKind.STAND_IN: "local.functions_host",
    HostKind.REAL: "Microsoft.Azure.WebJobs.Script.WebHost",
    HostKind.FUNC: "func start",
}[KIND]
"""A part of its command line."""

_WARNING = {HostKind.STAND_IN: r"^\S+ \S+ (WARNING|ERROR|CRITICAL) ", HostKind.REAL: r"^\S+ (warn|fail|crit): "}.get(
    KIND, ""
)


_OWN_PATHS = {HostKind.REAL: re.compile(r"^.* Executing HTTP request: .*$", re.MULTILINE)}.get(KIND)


def without_paths(log: str) -> str:
    """A host's log without its own lines on requests, which have their paths; no path of the app holds a profile id."""
    return _OWN_PATHS.sub("", log) if _OWN_PATHS else log


def warnings_in(log: str) -> list[str]:
    """The lines of a host's log that are warnings or worse; from Core Tools all lines, for they don't say."""
    return [line for line in log.splitlines() if re.match(_WARNING, line)]
