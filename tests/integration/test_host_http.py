"""A Functions host answers HTTP requests as the real host did when the table in tests/fixtures was recorded."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack.functions_host import HostKind
from tests.kit import running_host
from tests.kit.http_requests import ask, bytes_of, echoing, read_table

pytestmark = pytest.mark.runs_the_app
TABLE = read_table()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with echoing(running_host.KIND, tmp_path_factory.mktemp("echo")) as port:
        yield port


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["name"])
def test_a_request_is_answered_as_by_the_real_host(port: int, entry: dict[str, Any]) -> None:
    """But for the differences that the table lists: what the stand-in does instead (`standIn`), what the real host does
    with the worker of Python 3.13 (`on 3.13`), and which parts of its answer are chance (`chance`).
    """
    expected = entry["answer"]
    if running_host.KIND is HostKind.STAND_IN:
        expected = entry.get("standIn", expected)
    answered = ask(port, bytes_of(entry))
    compared = expected.keys() - set(entry.get("chance", []))
    if running_host.KIND is not HostKind.STAND_IN and answered == entry.get("on 3.13"):
        return
    assert {name: answered[name] for name in compared} == {name: expected[name] for name in compared}


def test_each_difference_has_a_reason() -> None:
    for entry in TABLE:
        assert (not entry.keys().isdisjoint({"standIn", "on 3.13", "chance"})) == ("because" in entry), entry["name"]
