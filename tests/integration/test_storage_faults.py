"""The fault proxy before Azurite, met by the unmodified Azure SDKs: nothing changes on the way, unless told to."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.data.tables import TableClient, UpdateMode
from azure.data.tables.aio import TableClient as AsyncTableClient
from azure.storage.blob import BlobBlock, BlobLeaseClient, ContainerClient
from azure.storage.queue import QueueClient

from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from local.storage_faults.control import StorageFaults
from local.storage_faults.counts import CountedRequest
from local.storage_faults.rules import ArmedFaults, ErrorStatus, FaultKind, Service, StorageFault
from tests.conftest import UniqueNames

PATIENCE = 15.0
# Faults are to be seen as they are, and not after minutes of retries.
IMPATIENT: dict[str, Any] = {"retry_total": 0, "use_env_settings": False}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack"), storage_faults=True) as running:
        yield running
    assert running.storage_proxy is not None
    # Whatever the SDKs did to it, it must have been no surprise.
    printed = running.storage_proxy.log.read_text().splitlines()
    assert [line for line in printed if '"event": "listening"' not in line] == []


@pytest.fixture
def faults(proxied: LocalStack) -> Iterator[StorageFaults]:
    """No fault is armed, and nothing was counted yet."""
    proxied.storage_faults.clear_requests()
    yield proxied.storage_faults
    proxied.storage_faults.clear_faults()


@dataclass(frozen=True)
class Tables:
    """One table, reached both ways."""

    through: TableClient
    direct: TableClient

    @property
    def name(self) -> str:
        return self.direct.table_name

    def rows(self) -> list[str]:
        return sorted(entity["RowKey"] for entity in self.direct.list_entities())


@pytest.fixture
def table(proxied: LocalStack, names: UniqueNames) -> Iterator[Tables]:
    with ExitStack() as clients:
        connections = proxied.settings["RELAY_STORAGE"], proxied.storage_connection_string
        through, direct = (
            clients.enter_context(TableClient.from_connection_string(each, names.table_prefix, **IMPATIENT))
            for each in connections
        )
        direct.create_table()
        yield Tables(through, direct)


@dataclass(frozen=True)
class Queues:
    """One queue, reached both ways."""

    through: QueueClient
    direct: QueueClient

    def texts(self) -> list[str]:
        return [message.content for message in self.direct.peek_messages(32)]


@pytest.fixture
def queue(proxied: LocalStack, names: UniqueNames) -> Iterator[Queues]:
    with ExitStack() as clients:
        connections = proxied.settings["RELAY_STORAGE"], proxied.storage_connection_string
        through, direct = (
            clients.enter_context(QueueClient.from_connection_string(each, names.queue, **IMPATIENT))
            for each in connections
        )
        direct.create_queue()
        yield Queues(through, direct)


@dataclass(frozen=True)
class Blobs:
    """One container, reached both ways."""

    through: ContainerClient
    direct: ContainerClient

    def names(self) -> list[str]:
        return sorted(self.direct.list_blob_names())


@pytest.fixture
def blobs(proxied: LocalStack, names: UniqueNames) -> Iterator[Blobs]:
    with ExitStack() as clients:
        connections = proxied.settings["RELAY_STORAGE"], proxied.storage_connection_string
        through, direct = (
            clients.enter_context(ContainerClient.from_connection_string(each, names.queue, **IMPATIENT))
            for each in connections
        )
        direct.create_container()
        yield Blobs(through, direct)


def row(key: str = "r", **properties: Any) -> dict[str, Any]:
    return {"PartitionKey": "p", "RowKey": key, **properties}


def fired(faults: StorageFaults) -> list[int]:
    return [rule.fired for rule in faults.faults()]


# The stack


def test_the_app_goes_through_the_proxy_and_nobody_else(proxied: LocalStack) -> None:
    settings = proxied.settings
    assert settings["RELAY_STORAGE"] != proxied.storage_connection_string == settings["AzureWebJobsStorage"]
    with QueueClient.from_connection_string(settings["RELAY_STORAGE"], CHANGES_QUEUE, **IMPATIENT) as changes:
        assert changes.get_queue_properties().name == CHANGES_QUEUE


def test_a_killed_proxy_comes_back_at_the_same_address(proxied: LocalStack, table: Tables) -> None:
    assert proxied.storage_proxy is not None
    table.through.create_entity(row("before"))
    before = proxied.settings
    proxied.storage_proxy.kill()
    with pytest.raises(AzureError):
        table.through.create_entity(row("during"))
    proxied.storage_proxy.start()
    assert proxied.settings == before
    table.through.create_entity(row("after"))
    assert table.rows() == ["after", "before"]


def test_a_stack_without_a_proxy_says_how_to_get_one(tmp_path: Path) -> None:
    plain = LocalStack(tmp_path)
    assert plain.settings["RELAY_STORAGE"] == plain.storage_connection_string
    with pytest.raises(RuntimeError, match="storage_faults=True"):
        _ = plain.storage_faults


# Without faults


@pytest.mark.parametrize("key", ["a b", "ä€😀", "100%", "%41", "it's", "a+b&c=d;e", "$(x)!*~", "{[<|>]}^`", '"'])
def test_odd_characters_in_keys(table: Tables, key: str) -> None:
    entity = {"PartitionKey": key, "RowKey": key, "text": f"{key}\r\n\0"}
    for writer, reader in ((table.through, table.direct), (table.direct, table.through)):
        writer.create_entity(entity)
        assert reader.get_entity(key, key) == entity
        (found,) = reader.query_entities("RowKey eq @key", parameters={"key": key})
        assert found == entity
        writer.delete_entity(key, key)


def test_etags_hold_on_both_sides(table: Tables) -> None:
    old = table.through.create_entity(row(n=1))["etag"]
    new = table.direct.update_entity(row(n=2))["etag"]
    assert table.through.get_entity("p", "r").metadata["etag"] == new
    with pytest.raises(ResourceModifiedError):
        table.through.update_entity(row(n=3), etag=old, match_condition=MatchConditions.IfNotModified)
    table.through.update_entity(
        row(n=4), mode=UpdateMode.REPLACE, etag=new, match_condition=MatchConditions.IfNotModified
    )
    assert table.direct.get_entity("p", "r")["n"] == 4
    with pytest.raises(ResourceExistsError):
        table.through.create_entity(row())
    with pytest.raises(ResourceNotFoundError):
        table.through.get_entity("p", "missing")


def test_an_entity_of_nearly_a_megabyte(table: Tables) -> None:
    large = row() | {f"chunk{number}": os.urandom(1 << 16) for number in range(15)}
    table.through.create_entity(large)
    assert table.direct.get_entity("p", "r") == large
    assert table.through.get_entity("p", "r") == large


def test_batches(table: Tables) -> None:
    keys = sorted(f"key {number}" for number in range(100))
    table.through.submit_transaction([("create", row(key)) for key in keys])
    assert table.rows() == keys
    assert sorted(entity["RowKey"] for entity in table.through.list_entities(results_per_page=7)) == keys


def test_messages(queue: Queues) -> None:
    texts = ["<a>&amp; ä€😀", "x" * 60_000, '{"a": "b\\n"}']
    for text in texts:
        queue.through.send_message(text)
    assert queue.texts() == texts
    received = list(queue.through.receive_messages(visibility_timeout=30))
    assert [message.content for message in received] == texts
    changed = queue.through.update_message(received[0], content="changed", visibility_timeout=0)
    assert queue.texts() == ["changed"]
    queue.through.delete_message(changed)
    queue.through.set_queue_metadata({"Name": "value"})
    assert queue.direct.get_queue_properties().approximate_message_count == 2
    assert queue.direct.get_queue_properties().metadata == {"Name": "value"}


def test_blobs(blobs: Blobs) -> None:
    data = os.urandom(1 << 20) + b"\r\n\r\n0\r\n\r\n"
    name = "a folder/100% ä€😀"
    blobs.through.upload_blob(name, data)
    assert blobs.direct.download_blob(name).readall() == blobs.through.download_blob(name).readall() == data
    assert blobs.through.download_blob(name, offset=7, length=9).readall() == data[7:16]
    blob = blobs.through.get_blob_client(name)
    assert blob.get_blob_properties().size == len(data)
    blob.stage_block("MDE=", b"a")
    blob.stage_block("MDI=", b"b")
    blob.commit_block_list([BlobBlock("MDE="), BlobBlock("MDI=")])
    assert blobs.direct.download_blob(name).readall() == b"ab"
    blobs.through.upload_blob("empty", b"")
    assert blobs.through.download_blob("empty").readall() == b""
    assert list(blobs.through.list_blob_names()) == blobs.names() == [name, "empty"]
    blobs.through.delete_blob(name)
    with pytest.raises(ResourceNotFoundError):
        blob.get_blob_properties()
    assert blobs.names() == ["empty"]


def test_a_lease_cannot_be_renewed_while_blobs_are_out(faults: StorageFaults, blobs: Blobs, queue: Queues) -> None:
    lease = blobs.through.upload_blob("lock", b"").acquire_lease(15)
    assert isinstance(lease, BlobLeaseClient)
    faults.set_faults(StorageFault(kind="status", service="blob"))
    with pytest.raises(HttpResponseError, match="ErrorCode:ServerBusy") as error:
        lease.renew()
    assert error.value.status_code == 503
    queue.through.send_message("goes on")
    faults.clear_faults()
    lease.renew()
    assert faults.requests()[CountedRequest("blob", "PUT", blobs.direct.container_name)] == 4


# What each fault looks like to the SDK


@dataclass(frozen=True)
class Scenario:
    """A row is written while `fault` is armed: what the SDK raises, and whether the row is there and was counted."""

    fault: StorageFault
    raises: type[Exception] | None
    done: bool
    counted: bool


SCENARIOS = [
    Scenario(StorageFault(kind="delay", delay_ms=120), None, done=True, counted=True),
    Scenario(StorageFault(kind="status"), HttpResponseError, done=False, counted=True),
    Scenario(StorageFault(kind="status-after"), HttpResponseError, done=True, counted=True),
    Scenario(StorageFault(kind="cut"), ServiceResponseError, done=False, counted=False),
    Scenario(StorageFault(kind="cut-after"), ServiceResponseError, done=True, counted=True),
    Scenario(StorageFault(kind="cut-after", delay_ms=120), ServiceResponseError, done=True, counted=True),
    Scenario(StorageFault(kind="stall"), ServiceResponseError, done=False, counted=False),
]


@pytest.mark.parametrize("service", get_args(Service))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.fault.kind)
def test_what_the_sdk_makes_of_a_fault(
    faults: StorageFaults, table: Tables, queue: Queues, blobs: Blobs, scenario: Scenario, service: Service
) -> None:
    faults.set_faults(scenario.fault)
    patience = 0.3 if scenario.fault.kind == "stall" else PATIENCE
    acts: Mapping[Service, Callable[[], Any]] = {
        "blob": lambda: blobs.through.upload_blob("r", b"", read_timeout=patience),
        "queue": lambda: queue.through.send_message("r", read_timeout=patience),
        "table": lambda: table.through.create_entity(row(), read_timeout=patience),
    }
    act = acts[service]
    started = time.monotonic()
    if scenario.raises is None:
        act()
    else:
        with pytest.raises(scenario.raises):
            act()
    assert time.monotonic() - started >= (scenario.fault.delay_ms or 0) / 1000
    assert fired(faults) == [1]
    assert faults.requests().total() == scenario.counted
    assert (table.rows() + queue.texts() + blobs.names()) == (["r"] if scenario.done else [])
    # The same client goes on with the same pool of connections.
    faults.clear_faults()
    table.through.upsert_entity(row("next"))
    queue.through.send_message("next")
    blobs.through.upload_blob("next", b"")
    assert "next" in table.rows()
    assert "next" in queue.texts()
    assert "next" in blobs.names()


def test_every_fault_kind_is_tried() -> None:
    assert {scenario.fault.kind for scenario in SCENARIOS} == set(get_args(FaultKind))


@pytest.mark.parametrize(
    ("status", "table_code", "queue_code"),
    [
        (403, "AuthorizationFailure", "AuthorizationFailure"),
        (412, "UpdateConditionNotSatisfied", "ConditionNotMet"),
        (429, "TooManyRequests", "TooManyRequests"),
        (500, "InternalError", "InternalError"),
        (503, "ServerBusy", "ServerBusy"),
    ],
)
def test_errors_are_worded_as_azure_does(
    faults: StorageFaults,
    table: Tables,
    queue: Queues,
    blobs: Blobs,
    status: ErrorStatus,
    table_code: str,
    queue_code: str,
) -> None:
    faults.set_faults(StorageFault(kind="status", status=status))
    acts: Sequence[tuple[str, Callable[[], Any]]] = [
        (table_code, lambda: table.through.get_entity("p", "r")),
        (table_code, lambda: table.through.submit_transaction([("create", row())])),
        (queue_code, lambda: queue.through.send_message("x")),
        (queue_code, queue.through.get_queue_properties),
        # Other services than tables word theirs alike.
        (queue_code, lambda: blobs.through.upload_blob("x", b"", overwrite=True)),
        (queue_code, blobs.through.get_container_properties),
    ]
    for code, act in acts:
        with pytest.raises(HttpResponseError, match=rf"ErrorCode:{code}") as error:
            act()
        assert error.value.status_code == status
        response: Any = error.value.response
        assert response.headers["x-ms-error-code"] == code
        assert "RequestId:" in error.value.message
    assert fired(faults) == [len(acts)]


def test_the_sdk_gets_over_a_busy_server(proxied: LocalStack, faults: StorageFaults, table: Tables) -> None:
    faults.set_faults(StorageFault(kind="status", method="POST", count=1))
    with TableClient.from_connection_string(
        proxied.settings["RELAY_STORAGE"], table.name, retry_backoff_factor=0.01, use_env_settings=False
    ) as patient:
        patient.create_entity(row())
    assert (fired(faults), table.rows()) == ([1], ["r"])


def test_a_lost_reply_makes_the_second_attempt_meet_the_first(
    proxied: LocalStack, faults: StorageFaults, table: Tables
) -> None:
    etag = table.direct.create_entity(row())["etag"]
    faults.set_faults(StorageFault(kind="status-after", status=500, method="PUT", count=1))
    with (
        TableClient.from_connection_string(
            proxied.settings["RELAY_STORAGE"], table.name, retry_backoff_factor=0.01, use_env_settings=False
        ) as patient,
        pytest.raises(ResourceModifiedError),
    ):
        patient.update_entity(
            row(n=1), mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
        )
    assert table.direct.get_entity("p", "r")["n"] == 1


# Which requests a rule meets


def test_a_rule_keeps_to_its_service_method_and_table(faults: StorageFaults, table: Tables, queue: Queues) -> None:
    rule = StorageFault(kind="cut", service="table", method="PATCH", path=f"/{table.name}(PartitionKey='p q'")
    faults.set_faults(rule)
    queue.through.send_message("x")
    table.through.create_entity(row("p"))
    table.through.upsert_entity(row("q"))
    assert fired(faults) == [0]
    with pytest.raises(ServiceResponseError):
        table.through.upsert_entity({"PartitionKey": "p q", "RowKey": "r"})
    assert faults.faults() == [rule.model_copy(update={"fired": 1})]


def test_a_batch_is_met_by_the_tables_in_it(faults: StorageFaults, table: Tables) -> None:
    faults.set_faults(StorageFault(kind="cut-after", path=f"/{table.name}"))
    with pytest.raises(ServiceResponseError):
        table.through.submit_transaction([("create", row("a")), ("create", row("b"))])
    assert (fired(faults), table.rows()) == ([1], ["a", "b"])
    faults.set_faults(StorageFault(kind="cut", path="/another-table"))
    table.through.submit_transaction([("create", row("c", text="/another-table"))])
    assert fired(faults) == [0]


def outcomes(*rules: StorageFault, requests: int) -> list[str | None]:
    armed = ArmedFaults()
    armed.replace(rules)
    met = (armed.meet("table", "GET", ["/account/T"]) for _ in range(requests))
    return [rule.kind if rule else None for rule in met]


def test_a_rule_waits_for_its_turn_and_is_used_up() -> None:
    first = StorageFault(kind="cut", after=1, count=2)
    second = StorageFault(kind="stall", after=1, count=1)
    assert outcomes(first, second, requests=6) == [None, "cut", "cut", "stall", None, None]


def test_a_seed_makes_chance_repeatable() -> None:
    rare = StorageFault(kind="cut", probability=0.2, seed=7)
    played = outcomes(rare, requests=1_000)
    assert played == outcomes(rare, requests=1_000)
    assert 150 < played.count("cut") < 250
    assert played != outcomes(rare.model_copy(update={"seed": 8}), requests=1_000)
    assert "cut" not in outcomes(rare.model_copy(update={"probability": 0.0}), requests=100)


# What is counted


def test_requests_are_counted_by_what_they_do_and_to_what(faults: StorageFaults, table: Tables, queue: Queues) -> None:
    table.through.create_entity(row("a (b)"))
    table.through.upsert_entity(row("a (b)"), mode=UpdateMode.REPLACE)
    table.through.upsert_entity(row("a (b)"), mode=UpdateMode.MERGE)
    with pytest.raises(ResourceExistsError):
        table.through.create_entity(row("a (b)"))
    table.through.get_entity("p", "a (b)")
    assert len(list(table.through.list_entities())) == 1
    table.through.submit_transaction([("create", row("d")), ("create", row("e")), ("delete", row("a (b)"))])
    table.direct.delete_entity("p", "d")
    with pytest.raises(ResourceExistsError):
        table.through.create_table()
    queue.through.delete_message(queue.through.send_message("x"))
    assert list(queue.through.receive_messages()) == []

    counts = faults.requests()
    assert counts == {
        ("table", "POST", table.name): 2 + 2,
        ("table", "PUT", table.name): 1,
        ("table", "PATCH", table.name): 1,
        ("table", "DELETE", table.name): 1,
        ("table", "GET", table.name): 2,
        ("table", "POST", "Tables"): 1,
        ("queue", "POST", queue.direct.queue_name): 1,
        ("queue", "GET", queue.direct.queue_name): 1,
        ("queue", "DELETE", queue.direct.queue_name): 1,
    }
    assert sum(count for request, count in counts.items() if request.writes_rows) == 7
    assert faults.requests() == counts
    faults.clear_requests()
    assert faults.requests() == {}


def test_each_attempt_of_a_client_counts(proxied: LocalStack, faults: StorageFaults, table: Tables) -> None:
    faults.set_faults(StorageFault(kind="status", method="POST", count=2))
    with TableClient.from_connection_string(
        proxied.settings["RELAY_STORAGE"], table.name, retry_backoff_factor=0.01, use_env_settings=False
    ) as patient:
        patient.create_entity(row())
    assert faults.requests() == {("table", "POST", table.name): 3}


# Many at once


async def test_concurrent_requests_fail_or_are_done_each_for_itself(
    proxied: LocalStack, faults: StorageFaults, table: Tables
) -> None:
    faults.set_faults(
        StorageFault(kind="status", method="POST", probability=0.2, seed=1),
        StorageFault(kind="cut", method="POST", probability=0.2, seed=2),
    )
    async with AsyncTableClient.from_connection_string(
        proxied.settings["RELAY_STORAGE"], table.name, **IMPATIENT
    ) as client:
        keys = [f"{number:03}" for number in range(200)]
        results = await asyncio.gather(
            *(client.create_entity(row(key, text=key * 1_000)) for key in keys), return_exceptions=True
        )
        done = [key for key, result in zip(keys, results, strict=True) if not isinstance(result, BaseException)]
        entities = await asyncio.gather(*(client.get_entity("p", key) for key in done))
    assert all(isinstance(result, dict | AzureError) for result in results)
    assert sum(fired(faults)) == len(keys) - len(done) > 0
    assert min(fired(faults)) > 0
    assert table.rows() == done
    assert [entity["text"] for entity in entities] == [key * 1_000 for key in done]


async def test_a_stalled_request_holds_no_other(proxied: LocalStack, faults: StorageFaults, table: Tables) -> None:
    faults.set_faults(StorageFault(kind="stall", path="RowKey='stalled'"))
    async with AsyncTableClient.from_connection_string(
        proxied.settings["RELAY_STORAGE"], table.name, **IMPATIENT
    ) as client:
        stalled = asyncio.ensure_future(client.upsert_entity(row("stalled")))
        await asyncio.gather(*(client.upsert_entity(row(f"{number}")) for number in range(20)))
        assert not stalled.done()
        stalled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalled
    assert len(table.rows()) == 20


# The control port


def test_rules_are_replaced_and_removed(faults: StorageFaults) -> None:
    rules = [
        StorageFault(kind="status", service="queue", method="GET", path="/ä", count=3, after=2, status=500),
        StorageFault(kind="delay", delay_ms=100, probability=0.5, seed=1),
    ]
    for given in (rules, rules[:1], []):
        faults.set_faults(*given)
        assert faults.faults() == given
    faults.set_faults(*rules)
    faults.clear_faults()
    assert faults.faults() == []
