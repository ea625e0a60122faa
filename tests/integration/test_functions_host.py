"""The Functions host stand-in against Azurite: small apps, the host as a process of its own."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient

from local.stack.local_stack import LocalStack
from local.stack.process import ServiceProcess

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
LISTENING = r'^(\{"event": "listening".*\})$'
PROMPT = {"maxPollingInterval": "00:00:00.100", "messageEncoding": "none"}

# What every app here begins with: `note` leaves evidence, and `gate` holds an invocation until the test lets it go on.
PRELUDE = """
import asyncio, json, os, pathlib
import azure.functions as func

app = func.FunctionApp()
FOLDER = pathlib.Path(__file__).parent

def note(**facts):
    with (FOLDER / "notes").open("a") as notes:
        notes.write(json.dumps(facts) + "\\n")

async def gate(name="gate"):
    while not ((FOLDER / name).exists() or (FOLDER / "gate").exists()):
        await asyncio.sleep(0.02)

def on_queue(setting="QUEUE"):
    return app.queue_trigger(arg_name="message", queue_name=f"%{setting}%", connection="STORAGE")
"""


def eventually(condition: Callable[[], T], what: str, seconds: float = 15.0) -> T:
    """The first true value of the condition; fails after a deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)
    return value


@pytest.fixture
def azurite(stack: LocalStack) -> str:
    """The connection string of the storage that all tests share."""
    return stack.storage_connection_string


@pytest.fixture
def new_queue(azurite: str) -> Iterator[Callable[[], QueueClient]]:
    """Makes queues with names that no other test uses."""
    with QueueServiceClient.from_connection_string(azurite) as service:
        yield lambda: service.create_queue(f"q-{uuid.uuid4().hex}")


@pytest.fixture
def queue(new_queue: Callable[[], QueueClient]) -> QueueClient:
    return new_queue()


class App:
    """A function app in a folder, and the host that runs it."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self._settings = settings
        self._process: ServiceProcess | None = None
        self.port = 0
        self.functions: list[str] = []

    def write(self, code: str, queues: dict[str, Any] | None = None, **settings: str) -> "App":
        self.folder.mkdir(exist_ok=True)
        self._settings |= settings
        (self.folder / "function_app.py").write_text(PRELUDE + code)
        (self.folder / "host.json").write_text(json.dumps({"version": "2.0", "extensions": {"queues": queues or {}}}))
        document = {"IsEncrypted": False, "Values": self._settings}
        (self.folder / "local.settings.json").write_text(json.dumps(document))
        return self

    def command(self, *options: str) -> list[str]:
        host = [sys.executable, "-m", "local.functions_host"]
        return [*host, "--app-dir", str(self.folder), "--http-port", "0", *options]

    def start(self, *options: str, env: dict[str, str] | None = None) -> "App":
        self._process = ServiceProcess(
            "host",
            self.command(*options),
            ready=LISTENING,
            log=self.folder / "log",
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        ready = json.loads(self._process.start()[1])
        self.port, self.functions = ready["httpPort"], ready["functions"]
        return self

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def open_gate(self, name: str = "gate") -> None:
        (self.folder / name).touch()

    def notes(self) -> list[dict[str, Any]]:
        path = self.folder / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_notes(self, count: int) -> list[dict[str, Any]]:
        eventually(lambda: len(self.notes()) >= count, f"{count} notes, only {self.notes()}")
        return self.notes()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def counts(self, function: str) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.request("/admin/host/status").body)["functions"][function]
        return counts

    def request(self, path: str, body: bytes | None = None, method: str = "GET", **headers: str) -> "Answer":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                return Answer(response.status, response.read().decode(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), error.headers)


@dataclass
class Answer:
    status: int
    body: str
    headers: Message
    """Whatever case their names are in."""


@pytest.fixture
def app(tmp_path: Path, azurite: str) -> Iterator[App]:
    app = App(tmp_path / "app", {"STORAGE": azurite, "AzureWebJobsStorage": azurite})
    yield app
    app.stop()


def depth(queue: QueueClient) -> int:
    return queue.get_queue_properties().approximate_message_count or 0


def poison_of(queue: QueueClient, azurite: str) -> QueueClient:
    return QueueClient.from_connection_string(azurite, f"{queue.queue_name}-poison")


def exists(queue: QueueClient) -> bool:
    with QueueServiceClient(queue.url.rpartition("/")[0], queue.credential) as service:
        return any(each.name == queue.queue_name for each in service.list_queues(queue.queue_name))


def wait_for_messages(queue: QueueClient, count: int) -> list[str]:
    eventually(
        lambda: exists(queue) and len(queue.peek_messages(32)) >= count, f"{count} messages in {queue.queue_name}"
    )
    return [str(message.content) for message in queue.peek_messages(32)]


NOTE_BODY = """
@on_queue()
async def note_body(message: func.QueueMessage):
    note(body=message.get_body().decode(), delivery=message.dequeue_count)
"""

FAIL = """
import time

@on_queue()
async def fail(message: func.QueueMessage):
    note(delivery=message.dequeue_count, at=time.monotonic())
    raise ValueError("no use")
"""

HOLD = """
@on_queue()
async def hold(message: func.QueueMessage):
    print("printed by the app")
    note(started=message.dequeue_count)
    await gate()
    note(ended=message.dequeue_count)
"""


def test_a_message_is_passed_whole_and_deleted_after_success(app: App, queue: QueueClient) -> None:
    app.write(
        """
@app.function_name("Look")
@on_queue()
def look(message: func.QueueMessage, context: func.Context):
    note(
        type=type(message).__module__, id=message.id, body=message.get_json(), delivery=message.dequeue_count,
        times=[str(message.insertion_time), str(message.time_next_visible), str(message.expiration_time)],
        receipt=message.pop_receipt, context=[context.function_name, context.function_directory, context.invocation_id],
    )
""",
        PROMPT,
        QUEUE=queue.queue_name,
    ).start()
    assert app.functions == ["Look"]
    sent = queue.send_message('{"a": "ü"}')
    (seen,) = app.wait_for_notes(1)
    eventually(lambda: depth(queue) == 0, "the deletion")
    assert seen["type"] == "azure.functions.queue"
    assert (seen["id"], seen["body"], seen["delivery"]) == (sent.id, {"a": "ü"}, 1)
    assert seen["times"] == sorted(seen["times"])
    assert seen["receipt"]
    assert seen["context"][:2] == ["Look", str(app.folder / "Look")]
    assert uuid.UUID(seen["context"][2])
    assert app.counts("Look") == {"running": 0, "succeeded": 1, "failed": 0}


def test_a_failure_is_delivered_again_after_the_visibility_timeout_and_ends_in_the_poison_queue(
    app: App, queue: QueueClient, azurite: str
) -> None:
    app.write(FAIL, {**PROMPT, "visibilityTimeout": "00:00:01", "maxDequeueCount": 2}, QUEUE=queue.queue_name).start()
    text = '{"secret": "größer & <tief>"}'
    queue.send_message(text)
    with poison_of(queue, azurite) as poison_queue:
        assert wait_for_messages(poison_queue, 1) == [text]
    first, second = app.notes()
    assert (first["delivery"], second["delivery"]) == (1, 2)
    assert second["at"] - first["at"] > 0.9
    eventually(lambda: depth(queue) == 0, "the deletion from the first queue")
    assert app.counts("fail") == {"running": 0, "succeeded": 0, "failed": 2}
    eventually(lambda: f"moves to {queue.queue_name}-poison (delivery 2)" in app.log(), "the log line")
    assert re.search(r"Function fail failed \(invocation [-0-9a-f]{36}\)", app.log())
    assert "ValueError: no use" in app.log()
    assert "tief" not in app.log()


def test_the_lease_is_renewed_while_the_function_runs(app: App, queue: QueueClient) -> None:
    app.write(
        """
@on_queue()
async def take_long(message: func.QueueMessage):
    note(started=message.dequeue_count)
    await asyncio.sleep(4.5)
    note(ended=message.dequeue_count)
""",
        PROMPT,
        QUEUE=queue.queue_name,
    ).start("--lease-seconds", "2")
    queue.send_message("long")
    assert app.wait_for_notes(2) == [{"started": 1}, {"ended": 1}]
    eventually(lambda: depth(queue) == 0, "the deletion with the renewed receipt")


def test_a_lost_lease_is_no_failure(app: App, queue: QueueClient) -> None:
    app.write(HOLD, PROMPT, QUEUE=queue.queue_name).start()
    queue.send_message("taken away")
    app.wait_for_notes(1)
    queue.clear_messages()
    app.open_gate()
    eventually(lambda: app.counts("hold") == {"running": 0, "succeeded": 1, "failed": 0}, "the success")
    app.stop()
    assert "could not be settled" not in app.log()


def test_a_function_may_hold_and_delete_its_message_itself(app: App, queue: QueueClient, azurite: str) -> None:
    app.write(
        """
from azure.storage.queue.aio import QueueClient

@on_queue()
async def settle(message: func.QueueMessage):
    note(body=message.get_body().decode(), delivery=message.dequeue_count)
    async with QueueClient.from_connection_string(os.environ["STORAGE"], os.environ["QUEUE"]) as queue:
        held = await queue.update_message(message.id, message.pop_receipt, visibility_timeout=1)
        if message.get_body() == b"fails" and message.dequeue_count == 1:
            raise ValueError
        await queue.delete_message(message.id, held.pop_receipt)
""",
        {**PROMPT, "visibilityTimeout": "01:00:00"},
        QUEUE=queue.queue_name,
    ).start()
    queue.send_message("succeeds")
    queue.send_message("fails")
    eventually(lambda: app.counts("settle") == {"running": 0, "succeeded": 2, "failed": 1}, "both, one of them twice")
    assert depth(queue) == 0
    app.stop()
    assert "could not be settled" not in app.log()


def test_a_poison_queue_has_no_poison_queue(app: App, stack: LocalStack, azurite: str) -> None:
    name = f"q-{uuid.uuid4().hex}-poison"
    stack.create_queues([name])
    app.write(FAIL, {**PROMPT, "maxDequeueCount": 1, "visibilityTimeout": "01:00:00"}, QUEUE=name)
    with QueueClient.from_connection_string(azurite, name) as queue:
        app.start("--lease-seconds", "1")
        queue.send_message("x")
        assert [each["delivery"] for each in app.wait_for_notes(3)[:3]] == [1, 2, 3]
        with QueueClient.from_connection_string(azurite, f"{name}-poison") as another:
            assert depth(another) == 0


def test_at_most_batch_size_and_threshold_run_at_once(
    app: App, new_queue: Callable[[], QueueClient], queue: QueueClient
) -> None:
    other = new_queue()
    app.write(
        """
@on_queue()
async def hold(message: func.QueueMessage):
    note(id=message.id)
    await gate(message.id)

@on_queue("OTHER")
async def other(message: func.QueueMessage):
    pass
""",
        {**PROMPT, "batchSize": 2, "newBatchThreshold": 1},
        QUEUE=queue.queue_name,
        OTHER=other.queue_name,
    )
    for _ in range(7):
        queue.send_message("one of many")
    app.start()

    def stays_at(running: int) -> bool:
        """While these messages pass, a host with another limit would have polled the first queue often."""
        for _ in range(3):
            other.send_message("a round")
            eventually(lambda: depth(other) == 0, "the end of the other message")
        return app.counts("hold")["running"] == running

    eventually(lambda: app.counts("hold")["running"] == 2, "the first batch")
    assert stays_at(2)
    app.open_gate(app.notes()[0]["id"])
    eventually(lambda: app.counts("hold")["running"] == 3, "another batch, at the threshold")
    assert stays_at(3)
    app.open_gate()
    eventually(lambda: app.counts("hold")["succeeded"] == 7, "all of them")


def test_after_a_kill_the_message_comes_back_when_its_lease_ends(app: App, queue: QueueClient) -> None:
    app.write(HOLD, PROMPT, QUEUE=queue.queue_name).start("--lease-seconds", "3")
    queue.send_message("survives")
    app.wait_for_notes(1)
    app.kill()
    assert queue.peek_messages() == []
    app.open_gate()
    app.start("--lease-seconds", "3")
    assert app.wait_for_notes(3) == [{"started": 1}, {"started": 2}, {"ended": 2}]
    eventually(lambda: depth(queue) == 0, "the deletion")


def test_a_message_that_killed_the_host_too_often_is_poison(app: App, queue: QueueClient, azurite: str) -> None:
    app.write(HOLD, {**PROMPT, "maxDequeueCount": 1}, QUEUE=queue.queue_name).start("--lease-seconds", "1")
    queue.send_message("deadly")
    app.wait_for_notes(1)
    app.kill()
    app.start("--lease-seconds", "1")
    with poison_of(queue, azurite) as poison_queue:
        assert wait_for_messages(poison_queue, 1) == ["deadly"]
    assert app.notes() == [{"started": 1}]


def test_base64_is_the_default_and_what_does_not_decode_is_poison_unseen(
    app: App, queue: QueueClient, azurite: str
) -> None:
    app.write(NOTE_BODY, {"maxPollingInterval": "00:00:00.100"}, QUEUE=queue.queue_name).start()
    queue.send_message("no base64!")
    with poison_of(queue, azurite) as poison_queue:
        assert wait_for_messages(poison_queue, 1) == ["no base64!"]
    queue.send_message(base64.b64encode("grün".encode()).decode())
    assert app.wait_for_notes(1) == [{"body": "grün", "delivery": 1}]


def test_outputs_are_written_after_success_and_their_queues_created(app: App, queue: QueueClient, azurite: str) -> None:
    names = {name: f"q-{uuid.uuid4().hex}" for name in ("ONE", "MANY", "RETURNED")}
    app.write(
        """
@on_queue()
@app.queue_output(arg_name="one", queue_name="%ONE%", connection="STORAGE")
@app.queue_output(arg_name="many", queue_name="%MANY%", connection="STORAGE")
@app.queue_output(arg_name="$return", queue_name="%RETURNED%", connection="STORAGE")
def answer(message: func.QueueMessage, one: func.Out[bytes], many: func.Out[list[str]]) -> str:
    one.set(b"from " + message.get_body())
    if message.get_body() == b"bad":
        raise ValueError
    many.set(["m1", "m2"])
    return "returned"
""",
        {"maxPollingInterval": "00:00:00.100", "maxDequeueCount": 1},
        QUEUE=queue.queue_name,
        **names,
    ).start()
    queue.send_message(base64.b64encode(b"bad").decode())
    eventually(lambda: app.counts("answer")["failed"] == 1, "the failure")
    queue.send_message(base64.b64encode(b"good").decode())
    expected = {"ONE": ["from good"], "MANY": ["m1", "m2"], "RETURNED": ["returned"]}
    for name, contents in expected.items():
        with QueueClient.from_connection_string(azurite, names[name]) as output:
            written = wait_for_messages(output, len(contents))
        assert [base64.b64decode(text).decode() for text in written] == contents


def test_a_queue_may_appear_after_the_host(app: App, azurite: str) -> None:
    name = f"q-{uuid.uuid4().hex}"
    app.write(NOTE_BODY, PROMPT, QUEUE=name).start()
    with QueueClient.from_connection_string(azurite, name) as queue:
        assert not exists(queue)
        queue.create_queue()
        queue.send_message("late")
        assert app.wait_for_notes(1) == [{"body": "late", "delivery": 1}]
    assert "cannot be polled" not in app.log()


def test_a_storage_account_out_of_reach_neither_ends_the_host_nor_keeps_it_from_stopping(
    app: App, azurite: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{closed.getsockname()[1]}", azurite)
        app.write(NOTE_BODY, PROMPT, QUEUE="any", STORAGE=nowhere).start()
        assert app.counts("note_body") == {"running": 0, "succeeded": 0, "failed": 0}
        asked_to_stop = time.monotonic()
        app.stop()
        assert time.monotonic() - asked_to_stop < 5


def test_the_environment_wins_over_the_settings_file(app: App, queue: QueueClient) -> None:
    prompt = {"AzureFunctionsJobHost__extensions__queues__messageEncoding": "none"}
    app.write(NOTE_BODY, QUEUE="not-this").start(env={**prompt, "QUEUE": str(queue.queue_name)})
    queue.send_message("found")
    assert app.wait_for_notes(1) == [{"body": "found", "delivery": 1}]


def test_a_timer_runs_on_its_schedule_and_never_twice_at_once(app: App) -> None:
    app.write(
        """
@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
async def tick(timer: func.TimerRequest):
    note(tick="start", module=type(timer).__module__, past_due=timer.past_due, status=timer.schedule_status)
    await asyncio.sleep(1.3)
    note(tick="end")
""",
        SCHEDULE="* * * * * *",
    ).start()
    notes = app.wait_for_notes(4)
    assert [each["tick"] for each in notes[:4]] == ["start", "end", "start", "end"]
    assert notes[0]["module"] == "azure.functions.timer"
    assert notes[0]["past_due"] is False
    assert notes[0]["status"] == {}


def test_a_timer_can_run_on_startup(app: App) -> None:
    app.write("""
@app.timer_trigger(arg_name="timer", schedule="0 0 0 29 2 *", run_on_startup=True, use_monitor=True)
def once(timer: func.TimerRequest):
    note(ran=True)
""").start()
    assert app.wait_for_notes(1) == [{"ran": True}]


WEB = """
@app.route(route="items/{id}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def item(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "id": req.route_params["id"], "q": req.params["q"], "body": req.get_json(), "header": req.headers["X-Given"],
        "url": req.url, "method": req.method,
    }
    response = func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json")
    response.headers.add("Set-Cookie", "a=1")
    response.headers.add("Set-Cookie", "b=2")
    return response

@app.route(route="keyed")
def keyed(req: func.HttpRequest) -> str:
    return "opened"

@app.route(route="broken", auth_level=func.AuthLevel.ANONYMOUS)
async def broken(req: func.HttpRequest) -> str:
    raise ValueError("not for the caller")

async def asgi(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})

@app.route(route="{*path}", auth_level=func.AuthLevel.ANONYMOUS)
async def web(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return await func.AsgiMiddleware(asgi).handle_async(req, context)
"""


def test_http_requests_reach_their_functions(app: App) -> None:
    app.write(WEB, LOCAL_FUNCTION_KEY="the key").start()
    answer = app.request("/api/items/a%20b?q=1&q=2", b'{"c": "\xc3\xbc"}', "POST", x_given="h")
    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {
        "id": "a b",
        "q": "1,2",
        "body": {"c": "ü"},
        "header": "h",
        "url": f"http://127.0.0.1:{app.port}/api/items/a%20b?q=1&q=2",
        "method": "POST",
    }
    assert (app.request("/api/some/page").status, app.request("/api/some/page").body) == (200, "/api/some/page")
    assert app.request("/elsewhere").status == 404
    broken = app.request("/api/broken")
    assert (broken.status, broken.body) == (500, "")
    eventually(lambda: "ValueError: not for the caller" in app.log(), "the log line")
    assert app.counts("broken") == {"running": 0, "succeeded": 0, "failed": 1}


def test_a_function_key_is_asked_for_where_one_is_set(app: App) -> None:
    app.write(WEB, LOCAL_FUNCTION_KEY="the key").start()
    assert app.request("/api/keyed").status == 401
    assert app.request("/api/keyed", x_functions_key="another").status == 401
    assert app.request("/api/keyed?code=the%20ke").status == 401
    assert app.request("/api/keyed", x_functions_key="the key").body == "opened"
    assert app.request("/api/keyed?code=the%20key").body == "opened"
    assert "open without a key" not in app.log()


def test_without_a_key_functions_are_open_and_the_log_says_so(app: App) -> None:
    app.write(WEB).start(env={"LOCAL_FUNCTION_KEY": ""})
    assert app.request("/api/keyed").body == "opened"
    open_functions = "LOCAL_FUNCTION_KEY has no value: these functions are open without a key: keyed$"
    eventually(lambda: re.search(open_functions, app.log(), re.M), "the log line")


def test_sigterm_lets_the_running_invocation_end(app: App, queue: QueueClient) -> None:
    app.write(HOLD, {**PROMPT, "batchSize": 1, "newBatchThreshold": 0}, QUEUE=queue.queue_name)
    queue.send_message("running")
    with (app.folder / "log").open("w") as log:
        host = subprocess.Popen(app.command(), stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True)
    with host:
        app.wait_for_notes(1)
        queue.send_message("too late")
        host.terminate()
        eventually(lambda: "Stopping" in app.log(), "the host's answer to SIGTERM")
        assert host.poll() is None
        app.open_gate()
        output, _ = host.communicate(timeout=15)
    assert host.returncode == 0
    assert app.notes() == [{"started": 1}, {"ended": 1}]
    assert [message.content for message in queue.peek_messages(2)] == ["too late"]
    assert depth(queue) == 1
    # Standard output carries the announcement and nothing else.
    assert json.loads(output)["event"] == "listening"


def test_sigterm_lets_the_running_request_end(app: App) -> None:
    app.write("""
@app.route(route="slow", auth_level=func.AuthLevel.ANONYMOUS)
async def slow(req: func.HttpRequest) -> str:
    note(started=True)
    await gate()
    return "answered"
""").start()
    answers: list[Answer] = []
    caller = threading.Thread(target=lambda: answers.append(app.request("/api/slow")))
    caller.start()
    app.wait_for_notes(1)
    stopper = threading.Thread(target=app.stop)
    stopper.start()
    eventually(lambda: "Stopping" in app.log(), "the host's answer to SIGTERM")
    app.open_gate()
    caller.join()
    stopper.join()
    assert [each.body for each in answers] == ["answered"]


TICK = """
@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
async def tick(timer: func.TimerRequest):
    note(tick="start")
    try:
        await gate("tick")
    finally:
        note(tick="end")
"""


def test_sigterm_cuts_a_timer_off(app: App) -> None:
    app.write(TICK).start()
    app.wait_for_notes(1)
    app.stop()
    assert app.notes() == [{"tick": "start"}]
    assert "are cut off" in app.log()


def test_one_instance_alone_runs_a_timer(app: App) -> None:
    app.write(TICK).start()
    app.wait_for_notes(1)
    other = App(app.folder, app._settings)
    try:
        other.start()
        app.open_gate("tick")
        app.wait_for_notes(6)
        assert other.counts("tick") == {"running": 0, "succeeded": 0, "failed": 0}
    finally:
        other.stop()


@pytest.mark.parametrize(("group", "served"), [("http", "asked"), ("function:taken", "taken"), (None, "both")])
def test_an_instance_may_serve_one_group_of_functions(
    app: App, queue: QueueClient, group: str | None, served: str
) -> None:
    app.write(
        """
@on_queue()
async def taken(message: func.QueueMessage):
    note(taken=True)

@app.route(route="asked", auth_level=func.AuthLevel.ANONYMOUS)
async def asked(req: func.HttpRequest) -> str:
    return "answered"
""",
        PROMPT,
        QUEUE=queue.queue_name,
    )
    queue.send_message("x")
    app.start(*(["--function-group", group] if group else []))
    assert app.functions == ["taken", "asked"]
    assert app.request("/api/asked").status == (404 if served == "taken" else 200)
    if served == "asked":
        app.stop()
        assert app.notes() == []
    else:
        assert app.wait_for_notes(1) == [{"taken": True}]


def test_a_group_that_is_not_there_is_refused(app: App, queue: QueueClient) -> None:
    app.write(NOTE_BODY, QUEUE=queue.queue_name)
    command = app.command("--function-group", "function:other")
    host = subprocess.run(command, capture_output=True, cwd=ROOT, text=True, timeout=60, check=False)
    assert host.returncode == 1
    assert "there is no such group. Choose one of: function:note_body." in host.stderr


CONNECTED = """
@app.queue_trigger(arg_name="message", queue_name="q", connection="{}")
async def f(message: func.QueueMessage): pass
"""
TIMER = '@app.timer_trigger(arg_name="timer", schedule="{}")\nasync def tick(timer: func.TimerRequest): pass\n'


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (NOTE_BODY, "function note_body: the app setting QUEUE has no value. Add it to"),
        (
            NOTE_BODY.replace("on_queue()", 'on_queue("STORAGE")').replace("message: func", "text: func"),
            "message, text",
        ),
        (
            CONNECTED.format("ABSENT"),
            "function f: the app setting ABSENT has no value",
        ),
        (
            CONNECTED.format("WRONG"),
            "function f: the app setting WRONG is no storage connection string",
        ),
        (TIMER.format("61 * * * * *"), "function tick: its schedule: '61' is no second"),
        (TIMER.format("0 0 0 30 2 *"), "never occurs"),
        ("import absent_module", "function_app.py: cannot be imported: ModuleNotFoundError: No module named"),
        ("second = func.FunctionApp()", "has 2 objects of the type FunctionApp"),
        ("", "has no functions"),
    ],
)
def test_an_app_that_cannot_run_is_refused_with_the_reason(app: App, code: str, message: str) -> None:
    app.write(code, WRONG="no connection string")
    host = subprocess.run(app.command(), capture_output=True, cwd=ROOT, text=True, timeout=30, check=False)
    assert host.returncode == 1
    assert host.stdout == ""
    assert message in host.stderr
    assert "Traceback" not in host.stderr


def test_a_folder_without_an_app_is_refused(app: App) -> None:
    app.write("")
    (app.folder / "function_app.py").unlink()
    host = subprocess.run(app.command(), capture_output=True, cwd=ROOT, text=True, timeout=30, check=False)
    assert host.returncode == 1
    assert f"{app.folder / 'function_app.py'}: there is no such file" in host.stderr
