"""What became of the SDK's tests: read from pytest's JUnit file, and told in a few lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

NEEDS_TLS = "needs-tls"
"""The property of a test that asked for TLS, or for a WebSocket on port 443, which the broker does not offer."""


@dataclass(frozen=True)
class Result:
    """`outcome` is passed, failed, skipped, or needs TLS: failed, and had asked for more than plain TCP."""

    test: str
    outcome: str


def results(junit: Path) -> list[Result]:
    """Raises OSError and ElementTree.ParseError: pytest did not get as far as writing it."""
    cases = ElementTree.parse(junit).iter("testcase")  # noqa: S314 - written by the pytest that was just run
    return [Result(f"{case.get('classname')}::{case.get('name')}", _outcome(case)) for case in cases]


def _outcome(case: ElementTree.Element) -> str:
    if case.find("skipped") is not None:
        return "skipped"
    if case.find("failure") is None and case.find("error") is None:
        return "passed"
    properties = {each.get("name") for each in case.iter("property")}
    return "needs TLS" if NEEDS_TLS in properties else "failed"


def lines(found: list[Result]) -> Iterator[str]:
    """The counts, and each test that failed or was left out."""
    for outcome in ("failed", "needs TLS", "skipped"):
        for result in sorted(each.test for each in found if each.outcome == outcome):
            yield f"{outcome:<10}{result}"
    counts = {outcome: sum(each.outcome == outcome for each in found) for outcome in ("passed", "failed", "skipped")}
    left_out = sum(each.outcome == "needs TLS" for each in found)
    yield (
        f"{len(found)} tests: {counts['passed']} passed, {counts['failed']} failed, "
        f"{left_out} need TLS or port 443, {counts['skipped']} skipped by the SDK itself"
    )
