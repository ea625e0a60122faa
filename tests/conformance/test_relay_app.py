"""The app itself under Microsoft's worker library, with nothing but the files that are deployed."""

import base64
import json
import re
from pathlib import Path

from local.commands.apply import apply
from local.exports import read_exports
from local.stack.local_stack import LocalStack
from shared.domain.configuration.model import parse_configuration_file
from tests.kit.builders import destination, item, membership
from tests.kit.environments import CHECKOUT

from .runner import Invocation, RunWorker


def on_schedule(setting: str) -> dict[str, object]:
    return {
        "type": "timerTrigger",
        "direction": "IN",
        "name": "timer",
        "schedule": f"%{setting}%",
        "useMonitor": False,
    }


def on_queue(name: str, queue: str) -> dict[str, object]:
    return {
        "type": "queueTrigger",
        "direction": "IN",
        "name": name,
        "queueName": queue,
        "connection": "RELAY_STORAGE",
    }


HTTP = {
    "type": "httpTrigger",
    "direction": "IN",
    "name": "request",
    "methods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
    "authLevel": "FUNCTION",
    "route": "api/{*path}",
}
PAGES = HTTP | {"methods": ["GET", "HEAD", "POST"], "authLevel": "ANONYMOUS", "route": "console/{*path}"}
HOME = HTTP | {"methods": ["GET", "HEAD"], "authLevel": "ANONYMOUS", "route": "/"}
FUNCTIONS: dict[str, dict[str, object]] = {
    "export_profile_changes": on_queue("message", "%PROFILE_CHANGES_QUEUE%"),
    "retry_export": on_queue("pointer", "export-retries"),
    "watch_destinations": on_schedule("WATCH_SCHEDULE"),
    "drain_poison_queues": on_schedule("WATCH_SCHEDULE"),
    "run_backfill": on_schedule("BACKFILL_SCHEDULE"),
    "sweep_profiles": on_schedule("SWEEP_SCHEDULE"),
    "backfill_slice": on_queue("pointer", "backfill-slices"),
    "evaluate_alerts": on_schedule("ALERT_SCHEDULE"),
    "deliver_alert": on_queue("pointer", "alert-deliveries"),
    "give_back_messages": on_queue("note", "messages-in-hand"),
}


def test_every_function_is_indexed_with_its_trigger(run_worker: RunWorker, deployed: Path) -> None:
    answer = {"type": "http", "direction": "OUT", "name": "$return"}
    assert run_worker(deployed).functions == {
        "admin_api": [HTTP, answer],
        "console": [PAGES, answer],
        "home": [HOME, answer],
        **{name: [trigger] for name, trigger in FUNCTIONS.items()},
    }


def test_app_service_authentication_takes_the_keys_place(run_worker: RunWorker, deployed: Path) -> None:
    functions = run_worker(deployed, {"WEBSITE_AUTH_ENABLED": "True"}).functions
    assert [functions[name][0]["authLevel"] for name in ("admin_api", "console")] == ["ANONYMOUS"] * 2


def test_on_the_local_stack_a_key_opens_the_console(run_worker: RunWorker, deployed: Path) -> None:
    functions = run_worker(deployed, {"RELAY_STORAGE": "UseDevelopmentStorage=true"}).functions
    assert functions["console"][0]["authLevel"] == "FUNCTION"


def test_the_console_is_closed_where_nobody_is_signed_in(run_worker: RunWorker, deployed: Path) -> None:
    page = {"method": "GET", "url": "https://relay.example/console/undelivered", "headers": {"Accept": "text/html"}}
    settings = {"RELAY_STORAGE__tableServiceUri": "https://relay.table.core.windows.net"}
    (result,) = run_worker(deployed, settings, [Invocation("console", page)]).invocations
    assert result.return_value["http"]["status"] == 403
    assert b"How to open it" in base64.b64decode(result.return_value["http"]["body"]["bytes"])


def test_the_admin_api_answers(run_worker: RunWorker, deployed: Path, stack: LocalStack) -> None:
    url = "https://relay.example/api/audiences/conformance"
    body = base64.b64encode(json.dumps({"name": "ü"}).encode()).decode()
    written = {"method": "PUT", "url": url, "headers": {"Content-Type": "application/json"}, "body": body}
    run = run_worker(
        deployed,
        stack.settings,
        [
            Invocation("admin_api", written),
            Invocation("admin_api", {"method": "GET", "url": url}),
            Invocation("admin_api", {"method": "DELETE", "url": url, "headers": {"If-Match": '"another"'}}),
            Invocation("admin_api", {"method": "DELETE", "url": url}),
        ],
    )
    answers = [result.return_value["http"] for result in run.invocations]
    assert [answer["status"] for answer in answers] == [201, 200, 412, 204]
    assert json.loads(base64.b64decode(answers[1]["body"]["bytes"]))["name"] == "ü"
    assert answers[1]["headers"]["etag"] == answers[0]["headers"]["etag"]
    assert answers[2]["headers"]["content-type"] == "application/problem+json"


def test_the_console_answers(run_worker: RunWorker, deployed: Path, stack: LocalStack) -> None:
    """With the templates and files that it has been deployed with."""
    page = {"method": "GET", "url": "https://relay.example/console"}
    (result,) = run_worker(deployed, stack.settings, [Invocation("console", page)]).invocations
    answer = result.return_value["http"]
    assert answer["status"] == 200
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    assert b"<h1>Destinations</h1>" in base64.b64decode(answer["body"]["bytes"])


def test_what_the_triggers_name_is_in_the_sample_settings() -> None:
    settings = json.loads((CHECKOUT / "local.settings.sample.json").read_text())["Values"]
    named = set(re.findall(r"%(\w+)%", str(FUNCTIONS))) | {"RELAY_STORAGE", "EVENTHUBS"}
    assert len(named) == 7
    assert named <= settings.keys()


async def test_a_change_becomes_an_export(run_worker: RunWorker, deployed: Path, stack: LocalStack) -> None:
    stack.broker.create_hub("conformance", 2)
    document = {
        "destinations": [destination("conformance")],
        "dataflows": [{"id": "conformance", "audiences": ["a"], "attributes": ["/x"]}],
    }
    await apply(stack.storage_connection_string, parse_configuration_file(document))
    change = item("worker/😀", 1, attributes={"x": "ü"}, segmentMembership=membership(1))
    bodies = [json.dumps(change, ensure_ascii=False).encode(), b"no change at all"]

    run = run_worker(
        deployed,
        stack.settings,
        [
            Invocation.of_queue_message("export_profile_changes", body, id=f"conformance-{number}", dequeueCount=1)
            for number, body in enumerate(bodies)
        ],
    )

    assert [(result.succeeded, result.exception) for result in run.invocations] == [(True, None)] * 2
    reading = read_exports(stack.event_hubs_connection_string, ["conformance"], count=1, timeout=20)
    (export,) = [export async for export in reading]
    assert (export.properties["profileId"], export.body["x"]) == ("worker/😀", "ü")


def test_every_other_function_runs(run_worker: RunWorker, deployed: Path, stack: LocalStack) -> None:
    pointer = json.dumps({"destinationId": "nobody", "profileKey": "0" * 64, "attempt": 1}).encode()
    part = json.dumps({"backfillId": "none", "bucket": 0, "sequence": 1}).encode()
    event = json.dumps({"eventId": "none", "subscriptionId": "none", "attempt": 1}).encode()
    run = run_worker(
        deployed,
        stack.settings,
        [
            Invocation("evaluate_alerts", {"isPastDue": False}),
            Invocation.of_queue_message("deliver_alert", event, id="6"),
            Invocation.of_queue_message("deliver_alert", b"no pointer", id="7"),
            Invocation.of_queue_message("backfill_slice", part, id="4"),
            Invocation.of_queue_message("backfill_slice", b"no pointer", id="5"),
            Invocation("run_backfill", {"isPastDue": False}),
            Invocation("sweep_profiles", {"isPastDue": False}),
            Invocation.of_queue_message("retry_export", pointer, id="1"),
            Invocation.of_queue_message("retry_export", b"no pointer", id="2"),
            Invocation.of_queue_message("give_back_messages", b"{}", id="8"),
            Invocation.of_queue_message("give_back_messages", b"no note", id="9"),
            Invocation("drain_poison_queues", {"isPastDue": False}),
            Invocation("watch_destinations", {"isPastDue": False}),
        ],
    )
    assert {result.function: result.exception for result in run.invocations} == dict.fromkeys(
        FUNCTIONS.keys() - {"export_profile_changes"}
    )


def test_an_app_without_its_settings_fails_the_message_and_says_which(run_worker: RunWorker, deployed: Path) -> None:
    run = run_worker(deployed, {}, [Invocation.of_queue_message("export_profile_changes", b"{}", id="1")])
    (result,) = run.invocations
    assert not result.succeeded
    assert "app setting RELAY_STORAGE: expected a storage connection string" in str(result.exception)
