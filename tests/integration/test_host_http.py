"""The Functions host stand-in answers HTTP requests as the real host does: the table is in tests/fixtures."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack.process import ServiceProcess
from tests.kit import echo_app
from tests.kit.http_requests import FUNCTION_KEY, HOST_JSON, ask, bytes_of, read_table

CHECKOUT = Path(__file__).parents[2]
TABLE = read_table()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a stand-in with the app that the real host was asked with."""
    folder = tmp_path_factory.mktemp("echo")
    shutil.copy(echo_app.__file__, folder / "function_app.py")
    (folder / "host.json").write_text(json.dumps(HOST_JSON))
    settings = {"IsEncrypted": False, "Values": {"LOCAL_FUNCTION_KEY": FUNCTION_KEY}}
    (folder / "local.settings.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "local.functions_host", "--app-dir", str(folder), "--http-port", "0"]
    ready = r'"event": "listening", "httpPort": (\d+)'
    host = ServiceProcess("host", command, ready=ready, log=folder / "log", cwd=CHECKOUT)
    try:
        yield int(host.start()[1])
    finally:
        host.stop()


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry["name"])
def test_a_request_is_answered_as_by_the_real_host(port: int, entry: dict[str, Any]) -> None:
    """But for differences that have a reason: of those the table says what the stand-in does."""
    expected = entry.get("standIn", entry["answer"])
    answered = ask(port, bytes_of(entry))
    assert {name: answered[name] for name in expected} == expected
    assert ("standIn" in entry) == ("because" in entry)
