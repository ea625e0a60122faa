"""The real Functions host as a part of the stack, played by a program: what is done to it, whatever it does."""

import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.errors import PartFailedError, ToolMissingError
from local.eventually import eventually
from local.stack.functions_host import FunctionsHost
from local.stack.real_host import CoreToolsHost, RealHost
from local.stack.real_host_tools import RUN_HOST, WORKER_PYTHON
from tests.kit.local_command import still_running

Make = Callable[..., FunctionsHost]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A host that is played so, with these app settings; it is stopped at the end."""
    for name in ("run-host", "func"):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(
            f'#!/usr/bin/env bash\nexec {sys.executable} {Path(__file__).with_name("fake_host.py")} {tmp_path} "$@"\n'
        )
        command.chmod(0o755)
    monkeypatch.setenv(RUN_HOST, str(tmp_path / "bin" / "run-host"))
    monkeypatch.setenv(WORKER_PYTHON, sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    levels = {"default": "Information", "Function.work": "None"}
    (tmp_path / "host.json").write_text(json.dumps({"logging": {"logLevel": levels}}))
    with ExitStack() as running:

        def made(kind: type[RealHost] = RealHost, settings: dict[str, str] | None = None, **play: Any) -> FunctionsHost:
            (tmp_path / "play.json").write_text(json.dumps(play))
            host = kind(
                tmp_path / "log",
                name="functions host",
                app_dir=tmp_path,
                settings_file=tmp_path / "settings.json",
                settings=settings or {},
                http_port=0,
                lease_seconds=None,
            )
            running.callback(host.stop)
            return host

        yield made


@pytest.fixture
def notes(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """What was done to the host, in order."""
    return lambda: [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]


Notes = Callable[[], list[dict[str, Any]]]


def test_it_is_ready_once_every_function_is_there(make: Make) -> None:
    host = make(functions={"b": [], "a": []}, looks=3)
    host.start()
    assert host.functions == ["a", "b"]
    assert httpx.get(f"{host.url}/console/x?y=%20").json() == {"path": "/console/x?y=%20"}


def test_its_key_is_no_option(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_urlsafe", lambda *_: "-begins-with-a-dash")
    make(functions={"a": []}).start()


def test_functions_in_error_are_named_and_nothing_is_left(make: Make, notes: Notes) -> None:
    host = make(functions={"fine": [], "odd": ["%X% does not resolve."], "late": ["no schedule"]})
    with pytest.raises(PartFailedError, match=r"(?s)without these functions.*odd: %X% does not.*late: no schedule"):
        host.start()
    assert still_running([notes()[0]["worker"]]) == []
    assert not host.died


@pytest.mark.parametrize("says", ["Worker failed to index functions", "Initializing worker process failed"])
def test_an_app_that_cannot_be_loaded_is_told_with_the_reason(make: Make, says: str) -> None:
    line = f"fail: {says} Some.RpcException: Result: Failure Exception: ImportError: no x Stack: File"
    with pytest.raises(PartFailedError, match=r"cannot load the app: ImportError: no x; read"):
        make(says=["an earlier line", line], looks=10_000).start()


def test_a_host_that_ends_at_once_is_told_of_with_its_last_words(make: Make) -> None:
    with pytest.raises(PartFailedError, match=r"(?s)ended before it was ready.*its last words"):
        make(says=["its last words"], ends=True).start()


def test_it_is_drained_before_it_is_stopped(make: Make, notes: Notes) -> None:
    host = make()
    host.start()
    host.stop()
    assert [each["did"] for each in notes()] == ["start", "drain", "SIGTERM"]
    assert still_running([notes()[0]["worker"]]) == []


def test_killed_it_takes_its_worker_along_and_comes_back_at_its_address(make: Make, notes: Notes) -> None:
    host = make()
    host.start()
    address = host.url
    host.kill()
    assert still_running([notes()[0]["worker"]]) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    host.start()
    assert host.url == address
    assert httpx.get(f"{address}/x").status_code == 200
    assert [each["did"] for each in notes()] == ["start", "start"]


@pytest.mark.parametrize("play", [{}, {"silent worker": True}], ids=["holds its output", "does not"])
async def test_when_it_dies_by_itself_its_worker_goes_too(make: Make, notes: Notes, play: dict[str, Any]) -> None:
    host = make(**play)
    host.start()
    os.kill(host.pid, signal.SIGKILL)
    assert await eventually(lambda: host.died)
    if play:
        assert await eventually(lambda: still_running([notes()[0]["worker"]]) == [])
    host.stop()
    assert still_running([notes()[0]["worker"]]) == []


def test_where_a_key_is_asked_for_callers_need_it(make: Make) -> None:
    host = make(settings={"LOCAL_FUNCTION_KEY": "the key"})
    host.start()
    assert httpx.get(f"{host.url}/x").status_code == 401
    assert httpx.get(f"{host.url}/x", headers={"x-functions-key": "the key"}).status_code == 200


def test_settings_reach_the_app_and_what_this_python_needs_does_not(
    make: Make, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("RELAY_STORAGE", "a real account")
    make(settings={"RELAY_STORAGE": "of the stack", "Logging.LogLevel": "x"}).start()
    seen = notes()[0]["environment"]
    assert "PYTHONPATH" not in seen
    assert (seen["RELAY_STORAGE"], seen["Logging.LogLevel"]) == ("of the stack", "x")


def test_what_host_json_keeps_out_of_the_log_is_in_it_here(make: Make, notes: Notes) -> None:
    make().start()
    levels = {name: level for name, level in notes()[0]["environment"].items() if "logLevel" in name}
    assert levels == {"AzureFunctionsJobHost__logging__logLevel__Function.work": "Information"}


def test_a_python_that_will_not_do_is_told_of(make: Make) -> None:
    with pytest.raises(ToolMissingError, match=r"(?s)make host-python.*no module named grpc"):
        make(**{"cannot prepare": "no module named grpc"}).start()


def test_core_tools_ask_for_no_key(make: Make, notes: Notes) -> None:
    host = make(CoreToolsHost, functions={"work": []}, says=["Azure Functions Core Tools"])
    host.start()
    assert (host.functions, notes()[0]["what"]) == (["work"], "start")
    assert httpx.get(f"{host.url}/x").status_code == 200
    host.stop()
    assert [each["did"] for each in notes()] == ["start", "drain", "SIGTERM"]


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(RUN_HOST, raising=False)
    with pytest.raises(ToolMissingError, match="FUNCTIONS_HOST does not name"):
        RealHost.require_tools()
    monkeypatch.setenv(RUN_HOST, str(tmp_path))
    with pytest.raises(ToolMissingError, match="no command that can be run"):
        RealHost.require_tools()
    monkeypatch.setenv(RUN_HOST, sys.executable)
    monkeypatch.setenv(WORKER_PYTHON, "nowhere")
    with pytest.raises(ToolMissingError, match="no Python that can be run"):
        RealHost.require_tools()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match="func is not on the PATH"):
        CoreToolsHost.require_tools()
