"""The real host with settings that it cannot use: it runs without the function, and the app says which one and why."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from azure.storage.queue import QueueClient

from local.stack.functions_host import FunctionsHost, HostKind
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from local.stack.real_host import RealHost
from tests.kit.running_relay import IMPATIENT

REFERENCE = "@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/x)"
ELSEWHERE = "CUSTOMCONNSTR_RELAY_STORAGE"
MOST_DELIVERIES = "AzureFunctionsJobHost__extensions__queues__maxDequeueCount"
PATIENCE = 120.0


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack does not insist on every function."""

    def functions_that_are_there(host: RealHost) -> list[str]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := host._admin.functions():
                return sorted(name for name, errors in found.items() if not errors)
            time.sleep(0.1)
        raise AssertionError(host.what_it_printed())

    monkeypatch.setattr(RealHost, "_every_function", functions_that_are_there)


@contextmanager
def running(stack: LocalStack, settings: dict[str, str]) -> Iterator[FunctionsHost]:
    with stack.start_functions_host(kind=HostKind.REAL, settings=IMPATIENT | settings) as host:
        yield host


@pytest.mark.parametrize(
    ("settings", "setting", "stops", "listed"),
    [
        ({"PROFILE_CHANGES_QUEUE": ""}, "PROFILE_CHANGES_QUEUE", "export_profile_changes", False),
        ({"PROFILE_CHANGES_QUEUE": REFERENCE}, "PROFILE_CHANGES_QUEUE", "export_profile_changes", None),
        ({"BACKFILL_SCHEDULE": "often"}, "BACKFILL_SCHEDULE", "run_backfill", False),
        ({"RETRY_DELAYS": "abc"}, "RETRY_DELAYS", "every function", True),
        ({ELSEWHERE: "AccountName=relay"}, ELSEWHERE, "every function of a queue", None),
    ],
    ids=lambda each: next(iter(each.items()))[0] if isinstance(each, dict) else None,
)
@pytest.mark.usefixtures("lenient")
def test_the_api_names_what_the_host_cannot_use(
    stack: LocalStack, settings: dict[str, str], setting: str, stops: str, listed: bool | None
) -> None:
    with running(stack, settings) as host:
        with httpx.Client(base_url=host.url, timeout=60) as client:
            problem = client.get("/api/health")
            page = client.get("/console")
        functions = host.functions
        log = host.log.read_text()
    assert problem.status_code == 503, problem.text
    (line,) = problem.json()["errors"]
    assert line.startswith(f"app setting {setting}: ")
    assert line.endswith(f"(stops {stops})")
    assert page.status_code == (503 if stops == "every function" else 200)
    assert f"App setting {setting}" in page.text
    assert {"admin_api", "console"} <= set(functions)
    if listed is not None and stops != "every function":
        assert (stops in functions) is listed, log[-2000:]


@pytest.mark.parametrize(
    ("known_elsewhere", "most_deliveries"),
    [(False, "2"), (True, "13")],
    ids=["each time a copy takes its place", "hidden, then copied, where another setting has the account"],
)
@pytest.mark.usefixtures("lenient")
def test_messages_stay_uncounted_while_a_setting_is_wrong(
    stack: LocalStack, known_elsewhere: bool, most_deliveries: str
) -> None:
    """By the host's own listener: it deletes what has succeeded, with a receipt that is outdated by then."""
    storage = {"RELAY_STORAGE": "", "AzureWebJobsRELAY_STORAGE": stack.storage_connection_string}
    wrong = {MOST_DELIVERIES: most_deliveries} | (storage if known_elsewhere else {"RETRY_DELAYS": "abc"})

    def count(name: str) -> int:
        with QueueClient.from_connection_string(stack.storage_connection_string, name) as queue:
            return queue.get_queue_properties().approximate_message_count or 0

    with running(stack, wrong) as host:
        with QueueClient.from_connection_string(stack.storage_connection_string, CHANGES_QUEUE) as queue:
            queue.send_message("[]")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and host.log.read_text().count("stays, and comes again in") < 5:
            time.sleep(0.5)
        log = host.log.read_text()
        assert log.count("stays, and comes again in") >= 5, log[-3000:]
        assert count(CHANGES_QUEUE) == 1
        assert "poison" not in log.split("stays, and comes again in", 1)[1].replace("drain_poison_queues", "")
    with running(stack, {}):
        while time.monotonic() < until + PATIENCE and count(CHANGES_QUEUE):
            time.sleep(0.5)
        assert count(CHANGES_QUEUE) == 0


@pytest.mark.usefixtures("lenient")
def test_telemetry_that_cannot_be_sent_fails_nothing(stack: LocalStack) -> None:
    with running(stack, {"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=soon"}) as host:
        with httpx.Client(base_url=host.url, timeout=60) as client:
            assert client.get("/api/destinations").status_code == 200
            health = client.get("/api/health")
        assert health.status_code == 200, health.text
        assert [each["setting"] for each in health.json()["settings"]] == ["APPLICATIONINSIGHTS_CONNECTION_STRING"]
