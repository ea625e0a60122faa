"""A little of `make test-host`, for every long test run: the app in the real host, on one Python."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from azure.storage.queue import QueueClient

from local.errors import PartFailedError
from local.eventually import eventually
from local.stack.functions_host import FunctionsHost, HostKind, Invocations
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from tests.kit.builders import destination, item, membership
from tests.kit.environments import CHECKOUT
from tests.kit.local_command import still_running
from tests.kit.running_relay import IMPATIENT, RunningRelay
from tests.web.test_odd_ids import ALIKE, NAMED, UNNAMED

CONFIGURATION = {
    "audiences": [{"id": "a"}],
    "destinations": [destination("crm")],
    "dataflows": [{"id": "crm", "audiences": ["a"], "attributes": ["/x"]}],
}


@pytest.fixture(scope="module")
def relay(stack: LocalStack) -> RunningRelay:
    relay = RunningRelay(stack, CONFIGURATION)
    asyncio.run(relay.apply({}))
    return relay


@pytest.fixture(scope="module")
def only_host(relay: RunningRelay) -> Iterator[FunctionsHost]:
    with relay.stack.start_functions_host(kind=HostKind.REAL, settings=IMPATIENT) as running:
        yield running


@pytest.fixture
def host(only_host: FunctionsHost) -> FunctionsHost:
    """Running, whatever a test before did to it."""
    if not only_host.running:
        only_host.start()
    return only_host


def processes_of(host: FunctionsHost) -> list[int]:
    """The host and its worker."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid="], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(pid) for pid, group in pairs if int(group) == host.pid]


def test_every_function_is_there(host: FunctionsHost) -> None:
    triggers = "".join(path.read_text() for path in (CHECKOUT / "shared/triggers").glob("*.py"))
    assert set(host.functions) == set(re.findall(r'function_name\("(\w+)"\)', triggers))


async def test_a_change_becomes_an_export(relay: RunningRelay, host: FunctionsHost) -> None:
    before = host.invocations().get("export_profile_changes", Invocations()).succeeded
    await relay.send(item("p", 1, segmentMembership=membership(1), attributes={"x": 1}), "{no change")
    await relay.handled()
    (export,) = await relay.exports("p")
    assert (export.properties["reason"], export.body["x"]) == ("audience,attribute", 1)
    assert list(await relay.quarantine()) == [b"{no change"]
    assert host.invocations()["export_profile_changes"] == Invocations(succeeded=before + 2)


def test_console_and_api_answer_whoever_has_the_key(host: FunctionsHost) -> None:
    with httpx.Client(timeout=60) as client:
        assert "<h1>Destinations</h1>" in client.get(host.console_url).text
        assert client.put(f"{host.url}/api/audiences/b", json={"name": "ü"}).status_code == 201
        assert client.get(f"{host.url}/api/audiences/b").json()["name"] == "ü"
        (address,) = re.findall(r"Now listening on: (\S+)", host.log.read_text())
        assert client.get(f"{address}/api/audiences/b").status_code == 401


def test_an_id_in_a_path_means_that_object_or_is_refused(host: FunctionsHost) -> None:
    with httpx.Client(base_url=host.url, timeout=60) as client:

        def there() -> set[str]:
            return {audience["id"] for audience in client.get("/api/audiences").json()["audiences"]}

        for alike in ALIKE:
            assert client.put(f"/api/audiences/{alike}", json={}).status_code in {200, 201}
        before = there()
        for audience_id in UNNAMED:
            path = f"/api/audiences/{quote(audience_id, safe='').replace('.', '%2E')}"
            answered = {client.request(method, path).status_code for method in ("GET", "DELETE")}
            assert answered | {client.put(path, json={}).status_code} <= {400, 404}, audience_id
            assert there() == before, audience_id
        for audience_id in NAMED:
            path = f"/api/audiences/{quote(audience_id, safe='')}"
            assert client.put(path, json={}).status_code in {200, 201}, audience_id
            assert client.get(path).json()["id"] == audience_id
            assert there() == before | {audience_id}
            assert client.delete(path).status_code == 204, audience_id
            assert there() == before - {audience_id}
            if audience_id in before:
                client.put(path, json={})


async def test_who_stops_it_leaves_no_message_in_its_hands(relay: RunningRelay, host: FunctionsHost) -> None:
    address, processes = host.url, processes_of(host)
    assert len(processes) > 1
    profiles = {f"in hand {number}" for number in range(25)}
    await relay.send(*(item(profile, 1, segmentMembership=membership(1)) for profile in profiles))
    with QueueClient.from_connection_string(relay.stack.storage_connection_string, CHANGES_QUEUE) as queue:
        # What the host is still fetching while it is told to stop, it keeps to itself: no app is asked about it.
        assert await eventually(lambda: not queue.peek_messages(), timeout=240)
        await asyncio.to_thread(host.stop)
        assert still_running(processes) == []
        left = queue.get_queue_properties().approximate_message_count
        assert len(queue.peek_messages(max_messages=32)) == left
    await asyncio.to_thread(host.start)
    assert host.url == address
    await relay.handled()
    assert {export.properties["profileId"] for export in await relay.exports(*profiles)} == profiles


def test_who_kills_it_takes_its_worker_along(host: FunctionsHost) -> None:
    processes = processes_of(host)
    assert len(processes) > 1
    host.kill()
    assert still_running(processes) == []


def test_a_function_in_error_is_named_with_the_reason(stack: LocalStack) -> None:
    with pytest.raises(PartFailedError, match=r"(?s)without these functions.*evaluate_alerts: .*'often'"):
        stack.start_functions_host(kind=HostKind.REAL, settings={"ALERT_SCHEDULE": "often"})
    assert not stack.functions_host.running
