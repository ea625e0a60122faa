"""The worker library with an app of one function of each kind, and with apps that no host could run."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from .runner import Invocation, InvocationResult, RunWorker, WorkerFailedError

ECHO_APP = Path(__file__).parent / "echo_app"
QUEUE_TRIGGERED = """
import azure.functions as func
app = func.FunctionApp()
@app.queue_trigger(arg_name="message", queue_name="q", connection="STORAGE")
"""


def echoed(result: InvocationResult) -> dict[str, Any]:
    assert result.succeeded, result.exception
    received: dict[str, Any] = json.loads(result.outputs["echo"]["string"])
    return received


def test_indexing_gives_every_function_with_its_bindings(run_worker: RunWorker) -> None:
    echo = {"type": "queue", "direction": "OUT", "name": "echo", "queueName": "%ECHO_QUEUE%", "connection": "STORAGE"}
    message = {"type": "queueTrigger", "direction": "IN", "name": "message", "connection": "STORAGE"}
    timer = {"type": "timerTrigger", "direction": "IN", "name": "timer", "schedule": "0 * * * * *"}
    request = {"type": "httpTrigger", "direction": "IN", "name": "req", "route": "{*path}", "authLevel": "ANONYMOUS"}
    assert run_worker(ECHO_APP).functions == {
        "echo_message": [echo, {**message, "queueName": "%QUEUE%"}],
        "refuse_message": [{**message, "queueName": "%REFUSED_QUEUE%"}],
        "every_minute": [echo, {**timer, "runOnStartup": False, "useMonitor": True}],
        "web": [request, {"type": "http", "direction": "OUT", "name": "$return"}],
    }


@pytest.mark.parametrize(
    "body",
    ['{"profileId": "1"}', '{"city": "Zürich 東京 🙂"}', "eyJwcm9maWxlSWQiOiAiMSJ9", " \n", "not JSON"],
)
def test_a_queue_message_reaches_the_function_unchanged(run_worker: RunWorker, body: str) -> None:
    invocation = Invocation.of_queue_message(
        "echo_message",
        body.encode(),
        id="b1f6a6ba",
        dequeueCount=3,
        popReceipt="AgAAAA==",
        # The host writes seven digits after the second, one more than Python's datetime has.
        insertionTime="2026-01-11T21:24:39.1234567+00:00",
    )
    run = run_worker(ECHO_APP, invocations=[invocation])
    assert echoed(run.invocations[0]) == {
        "type": "QueueMessage",
        "body": base64.b64encode(body.encode()).decode(),
        "id": "b1f6a6ba",
        "dequeueCount": 3,
        "popReceipt": "AgAAAA==",
        "insertionTime": "2026-01-11T21:24:39.123456+00:00",
    }


def test_a_binary_queue_message_need_not_be_text(run_worker: RunWorker, tmp_path: Path) -> None:
    binary = QUEUE_TRIGGERED.replace('"STORAGE"', '"STORAGE", data_type=func.DataType.BINARY')
    source = binary + "async def handle(message: func.QueueMessage) -> None: raise ValueError(message.get_body().hex())"
    (tmp_path / "function_app.py").write_text(source)
    run = run_worker(tmp_path, invocations=[Invocation.of_queue_message("handle", b"\xff\x00", id="1")])
    assert run.invocations[0].exception == "ValueError: ff00"


def test_an_exception_is_the_result_of_its_own_invocation_alone(run_worker: RunWorker) -> None:
    run = run_worker(
        ECHO_APP,
        invocations=[
            Invocation.of_queue_message("refuse_message", b"{}", id="first"),
            Invocation.of_queue_message("echo_message", b"{}", id="second"),
        ],
    )
    refused, accepted = run.invocations
    assert not refused.succeeded
    assert refused.exception == "ValueError: refused first: größer als erlaubt"
    assert echoed(accepted)["id"] == "second"


def test_a_timer_knows_whether_it_is_late(run_worker: RunWorker) -> None:
    late, punctual = run_worker(
        ECHO_APP,
        invocations=[Invocation("every_minute", {"isPastDue": True}), Invocation("every_minute", {})],
    ).invocations
    assert (echoed(late), echoed(punctual)) == ({"pastDue": True}, {"pastDue": False})


def test_an_asgi_application_answers_http_requests(run_worker: RunWorker) -> None:
    request = {
        "method": "POST",
        "url": "https://relay.example/api/profiles/a%20b?limit=2&q=%C3%BC",
        "headers": {"X-Request": "1"},
        "params": {"path": "profiles/a b"},
        "body": base64.b64encode("grüß dich".encode()).decode(),
    }
    [result] = run_worker(ECHO_APP, invocations=[Invocation("web", request)]).invocations
    assert result.succeeded, result.exception
    response = result.return_value["http"]
    assert response["status"] == 201
    assert response["headers"] == {"content-type": "application/json"}
    assert response["cookies"] == {"a": "1", "b": "2"}
    assert json.loads(base64.b64decode(response["body"]["bytes"])) == {
        "method": "POST",
        "path": "/api/profiles/a b",
        "query": "limit=2&q=%C3%BC",
        "headers": [["x-request", "1"]],
        "body": "grüß dich",
    }


def test_an_app_gets_only_the_settings_it_is_given(
    run_worker: RunWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_STORAGE", "from this machine")
    source = "import os\nraise RuntimeError([os.environ.get(name) for name in ('GIVEN', 'RELAY_STORAGE')])"
    (tmp_path / "function_app.py").write_text(source)
    with pytest.raises(WorkerFailedError, match=r"RuntimeError: \['yes', None\]"):
        run_worker(tmp_path, {"GIVEN": "yes"})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param("import no_such_package", "No module named 'no_such_package'", id="missing package"),
        pytest.param("def broken(:", "SyntaxError", id="syntax error"),
        pytest.param("x = 1", "Could not find top level function app", id="no app"),
        pytest.param("import azure.functions as f\napp = f.FunctionApp()", "no functions were found", id="no function"),
        pytest.param(
            QUEUE_TRIGGERED + "async def handle(message: func.QueueMessage) -> None: ...\nalias = app",
            "More than one FunctionApp",
            id="one app under two names",
        ),
        pytest.param(
            QUEUE_TRIGGERED + "async def handle(body: func.QueueMessage) -> None: ...",
            "cannot load the handle function",
            id="argument that is not bound",
        ),
        pytest.param(
            QUEUE_TRIGGERED + "async def handle(message: dict) -> None: ...",
            "do not match the corresponding function parameter's Python type annotation dict",
            id="annotation that the trigger cannot give",
        ),
        pytest.param(
            QUEUE_TRIGGERED + "async def handle(message: 'OnlyForTypeCheckers') -> None: ...",
            "name 'OnlyForTypeCheckers' is not defined",
            id="annotation that cannot be evaluated",
        ),
    ],
)
def test_an_app_that_cannot_be_indexed_is_reported(
    run_worker: RunWorker, tmp_path: Path, source: str, reason: str
) -> None:
    (tmp_path / "function_app.py").write_text(source)
    with pytest.raises(WorkerFailedError) as failure:
        run_worker(tmp_path)
    assert reason in str(failure.value)


def test_a_directory_without_an_app_is_reported(run_worker: RunWorker, tmp_path: Path) -> None:
    with pytest.raises(WorkerFailedError, match="no functions were found"):
        run_worker(tmp_path)


@pytest.mark.parametrize(
    ("invocation", "reason"),
    [
        (Invocation("no_such_function", {}), "there is no function 'no_such_function'"),
        (Invocation.of_queue_message("echo_message", b"\xff", id="1"), "must be UTF-8 text"),
    ],
)
def test_an_invocation_that_no_host_would_send_is_reported(
    run_worker: RunWorker, invocation: Invocation, reason: str
) -> None:
    with pytest.raises(WorkerFailedError) as failure:
        run_worker(ECHO_APP, invocations=[invocation])
    assert reason in str(failure.value)


def test_a_value_returned_without_a_return_binding_fails_the_invocation(run_worker: RunWorker, tmp_path: Path) -> None:
    source = QUEUE_TRIGGERED + "async def handle(message: func.QueueMessage) -> str: return 'done'"
    (tmp_path / "function_app.py").write_text(source)
    [result] = run_worker(tmp_path, invocations=[Invocation.of_queue_message("handle", b"{}", id="1")]).invocations
    assert not result.succeeded
    assert "$return" in (result.exception or "")
