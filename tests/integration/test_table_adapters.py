"""The table adapters keep their contracts on Azurite."""

import asyncio
import base64
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import (
    AccountSasPermissions,
    EdmType,
    EntityProperty,
    ResourceTypes,
    generate_account_sas,
)

from local.stack.local_stack import LocalStack
from shared.adapters.tables import last_exports, poison_rounds, runs, undelivered
from shared.adapters.tables import (
    quarantine as table_quarantine,
)
from shared.adapters.tables.alerts import TableAlerts
from shared.adapters.tables.audience_counts import TableAudienceCounts
from shared.adapters.tables.backfills import TableBackfills
from shared.adapters.tables.configuration import TableConfiguration
from shared.adapters.tables.consumer_lags import TableConsumerLags
from shared.adapters.tables.health import TableHealth
from shared.adapters.tables.last_exports import TableLastExports
from shared.adapters.tables.members import TableMembers
from shared.adapters.tables.poison_rounds import TablePoisonRounds
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.quarantine import TableQuarantine
from shared.adapters.tables.runs import TableRuns
from shared.adapters.tables.service import table as tables
from shared.adapters.tables.timers import TableTimers
from shared.adapters.tables.undelivered import TableUndelivered
from shared.domain.instants import DAY, SECOND, format_instant
from shared.errors import ConflictError, StorageError
from shared.ports.poison import PoisonRounds
from shared.ports.quarantine import QuarantinedItem
from shared.settings import PROFILE_BUCKETS, Connection
from tests.contracts.alert_store import AlertStoreContract
from tests.contracts.audience_count_store import AT, AudienceCountStoreContract
from tests.contracts.audience_count_store import counted as counted_audiences
from tests.contracts.backfill_store import BackfillStoreContract
from tests.contracts.configuration_store import ConfigurationStoreContract
from tests.contracts.health_store import HealthStoreContract
from tests.contracts.lag_store import LagStoreContract, look
from tests.contracts.last_exports_store import LastExportsStoreContract, sent
from tests.contracts.member_index import MemberIndexContract
from tests.contracts.poison import PoisonRoundsContract
from tests.contracts.profile_store import ProfileStoreContract
from tests.contracts.quarantine import QuarantineContract
from tests.contracts.run_store import MIDNIGHT, RunStoreContract, counted
from tests.contracts.timer_store import TimerStoreContract
from tests.contracts.undelivered_store import UndeliveredStoreContract
from tests.kit.builders import NOW


@pytest.fixture
async def account(stack: LocalStack) -> AsyncIterator[tables.Account]:
    async with tables.Account(Connection("STORAGE", stack.storage_connection_string)) as client:
        yield client


@pytest.fixture
async def table(account: tables.Account) -> tables.Table:
    """An empty table of the test's own."""
    table = tables.Table(account, f"Test{uuid.uuid4().hex}")
    await asyncio.gather(table.create_if_missing(), table.create_if_missing())
    return table


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # it is as large as the SDK makes it
class TestTableProfiles(ProfileStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableProfiles:
        return TableProfiles([table] * PROFILE_BUCKETS)

    @pytest.fixture(params=[1_100_000, 900_000], ids=["by Azure's count", "by Azurite's"])
    def too_large(self, request: pytest.FixtureRequest) -> str:
        return base64.b64encode(os.urandom(request.param)).decode()

    async def test_a_profile_of_many_chunks_is_read_whole(self, store: TableProfiles) -> None:
        profile = await store.load("p")
        text = base64.b64encode(os.urandom(700_000)).decode()
        profile.state.attributes.merge({"x": text}, NOW, 0)
        await store.save(profile)
        assert (await store.load("p")).state.attributes.resolve() == {"x": text}


class TestTableConfiguration(ConfigurationStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableConfiguration:
        return TableConfiguration(table)


class TestTableUndelivered(UndeliveredStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableUndelivered:
        return TableUndelivered(table)

    @pytest.mark.parametrize(("page", "requests", "counted"), [(2, 32, 4), (1, 3, 3)])
    async def test_counting_ends(
        self, store: TableUndelivered, monkeypatch: pytest.MonkeyPatch, page: int, requests: int, counted: int
    ) -> None:
        monkeypatch.setattr(undelivered, "_PAGE", page)
        monkeypatch.setattr(undelivered, "_REQUESTS_TO_COUNT", requests)
        await self.fill(store)
        count = await store.count("d", 4)
        assert (sum(count.by_state.values()), count.complete) == (counted, False)

    async def test_who_has_more_than_is_counted_holds_up_nobody(
        self, store: TableUndelivered, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(undelivered, "_PAGE", 1)
        await self.fill(store)
        counts = await store.counts(5)
        assert {key: (5 <= count.total <= 9, count.complete) for key, count in counts.items()} == {
            "d": (True, False),
            "d-1": (True, False),
            "e": (True, False),
        }
        assert await store.counts(10) == {key: await store.count(key, 10) for key in counts}


class TestTableAudienceCounts(AudienceCountStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableAudienceCounts:
        return TableAudienceCounts(table)

    async def test_days_of_the_same_table_are_forgotten_without_it(self, table: tables.Table) -> None:
        counts, days = TableAudienceCounts(table), TableRuns(table)
        await counts.put(counted_audiences(AT, 1))
        await days.put("d", counted(MIDNIGHT - DAY, 1), "i")
        assert await days.forget(MIDNIGHT + 365 * DAY) == 1
        assert await counts.since(AT) == [counted_audiences(AT, 1)]


class TestTableConsumerLags(LagStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableConsumerLags:
        return TableConsumerLags(table)

    async def test_days_of_the_same_table_are_forgotten_without_it(self, table: tables.Table) -> None:
        lags, days = TableConsumerLags(table), TableRuns(table)
        await lags.put("crm", look(1))
        await days.put("d", counted(MIDNIGHT - DAY, 1), "i")
        assert await days.forget(MIDNIGHT + 365 * DAY) == 1
        assert await lags.load("crm") == look(1)


class TestTableRuns(RunStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableRuns:
        return TableRuns(table)

    async def test_forgetting_is_bounded_and_goes_on(self, store: TableRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runs, "_PAGE", 3)
        monkeypatch.setattr(runs, "_PAGES_TO_FORGET", 2)
        monkeypatch.setattr(tables, "_MOST_IN_A_BATCH", 2)
        for number in range(4):
            for destination_id in ("d", "e"):
                await store.put(destination_id, counted(MIDNIGHT - DAY, 1), f"i{number}")
        assert [await store.forget(MIDNIGHT) for _ in range(3)] == [6, 2, 0]


class TestTableLastExports(LastExportsStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableLastExports:
        return TableLastExports(table)

    async def test_all_pages_are_looked_through(self, store: TableLastExports, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(last_exports, "_PAGE", 2)
        for number in range(5):
            await store.put("d", f"i{number}", [sent("p", number)])
        assert len(await store.with_older(NOW + DAY)) == 5


class TestTablePoisonRounds(PoisonRoundsContract):
    @pytest.fixture
    def rounds(self, table: tables.Table) -> TablePoisonRounds:
        return TablePoisonRounds(table)

    async def test_counting_and_forgetting_go_over_pages(
        self, rounds: TablePoisonRounds, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(poison_rounds, "_MOST", 2)
        for number in range(5):
            await rounds.save(PoisonRounds(f"row-{number}", 1, NOW))
        assert await rounds.ended_since(NOW) == 2
        await rounds.forget(NOW + 1)
        assert await rounds.ended_since(0) == 0

    async def test_they_are_not_in_quarantine(self, rounds: TablePoisonRounds, table: tables.Table) -> None:
        await rounds.save(PoisonRounds("row", 1, NOW))
        quarantine = TableQuarantine(table)
        assert [stored async for stored in quarantine.newest_first()] == []
        assert (await quarantine.page(None, None, 10)).entries == []


class TestTableMembers(MemberIndexContract):
    @pytest.fixture
    def index(self, table: tables.Table) -> TableMembers:
        return TableMembers(table)


class TestTableAlerts(AlertStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableAlerts:
        return TableAlerts(table)


class TestTableBackfills(BackfillStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableBackfills:
        return TableBackfills(table)


class TestTableHealth(HealthStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableHealth:
        return TableHealth(table)


class TestTableTimers(TimerStoreContract):
    @pytest.fixture
    def store(self, table: tables.Table) -> TableTimers:
        return TableTimers(table)


class TestTableQuarantine(QuarantineContract):
    @pytest.fixture
    def quarantine(self, table: tables.Table) -> TableQuarantine:
        return TableQuarantine(table)

    @pytest.mark.parametrize("row_id", ["", "a/b#?", "20260111T220000Z-m", "20260111T220000Z-a/b-0", "9" * 2_000])
    async def test_what_is_no_row_id_names_no_row(self, quarantine: TableQuarantine, row_id: str) -> None:
        assert await quarantine.get(row_id) is None
        await quarantine.delete(row_id)

    async def test_rows_of_earlier_releases_are_behind_all_others(
        self, quarantine: TableQuarantine, account: tables.Account, table: tables.Table
    ) -> None:
        await quarantine.put(QuarantinedItem("new", 0, NOW, "r", b"new"))
        await quarantine.put(QuarantinedItem("old", 0, NOW + SECOND, "r", b"old"))
        (old,) = [row for row in await rows(account, table) if row["messageId"] == "old"]
        await table.put({**old, "RowKey": "20250111T220000Z-old-0"})
        await quarantine.delete(old["RowKey"])

        page = await quarantine.page(None, None, 1)
        last = await quarantine.page(None, page.next, 1)
        assert [entry.message_id for entry in (*page.entries, *last.entries)] == ["new", "old"]
        assert [stored.message_id async for stored in quarantine.newest_first()] == ["new", "old"]
        stored = await quarantine.get(last.entries[0].row_id)
        assert stored is not None
        assert (stored.raw, format_instant(stored.received_at)) == (b"old", "2025-01-11T22:00:00Z")
        await quarantine.delete(stored.row_id)
        assert await quarantine.get(stored.row_id) is None

    async def test_a_search_of_many_goes_on_in_the_next_page(
        self, quarantine: TableQuarantine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(table_quarantine, "_SEARCHED", 5)
        for number in range(12):
            reason = "sought" if number == 0 else "other"
            await quarantine.put(QuarantinedItem(f"m{number}", 0, NOW + number * SECOND, reason, b""))
        found, token = [], None
        for _ in range(3):
            page = await quarantine.page("sought", token, 2)
            found.append([entry.message_id for entry in page.entries])
            token = page.next
        assert (found, token) == ([[], [], ["m0"]], None)


async def rows(account: tables.Account, table: tables.Table) -> list[Mapping[str, Any]]:
    return [row async for row in account.service.get_table_client(table.name).list_entities()]


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", os.urandom(65_536)])
async def test_what_is_quarantined_is_kept_whole_and_once(
    account: tables.Account, table: tables.Table, raw: bytes
) -> None:
    quarantine = TableQuarantine(table)
    item = QuarantinedItem("0f8fad5b-d9cb-469f-a165-70867728950e", 3, NOW, "item 3: /x: expected ü", raw, "p/1")
    await quarantine.put(item)
    await quarantine.put(item)
    await quarantine.put(QuarantinedItem("another", None, NOW, "expected UTF-8", raw))

    whole, one = sorted(await rows(account, table), key=lambda row: "item" in row)
    assert (one["body0"], one["reason"], one["item"]) == (raw, "item 3: /x: expected ü", 3)
    assert one["RowKey"] == "18231831199-0f8fad5b-d9cb-469f-a165-70867728950e-3"
    assert "p/1" not in str(one)
    assert whole["RowKey"].endswith("another-message")


async def test_a_missing_table_is_named(account: tables.Account) -> None:
    absent = tables.Table(account, "Absent")
    with pytest.raises(StorageError, match="table Absent: could not read: the table is missing"):
        await absent.get("p", "r")
    with pytest.raises(StorageError, match="table Absent: could not insert: the table is missing"):
        await absent.insert({"PartitionKey": "p", "RowKey": "r"})


async def test_replacing_a_deleted_row_is_a_conflict(account: tables.Account, table: tables.Table) -> None:
    row = {"PartitionKey": "p", "RowKey": "r"}
    etag = await table.insert(row)
    await account.service.get_table_client(table.name).delete_entity("p", "r")
    with pytest.raises(ConflictError):
        await table.replace(row, etag)


async def test_storage_that_does_not_answer_is_an_error_with_its_reason() -> None:
    connection = Connection("STORAGE", "AccountName=a;AccountKey=YQ==;TableEndpoint=http://127.0.0.1:1/a")
    async with tables.Account(connection) as account:
        with pytest.raises(StorageError, match=r"table Profiles: could not read: .*127\.0\.0\.1"):
            await tables.Table(account, "Profiles").get("p", "r")


@pytest.mark.parametrize(
    "key", ["it's", "a b", "100%", "50%25", "ä€😀", "a+b&c=d", "x@y:z", "(1,2);!$*", "'", '"', "~_.-"]
)
async def test_odd_keys_are_those_that_the_sdk_means(account: tables.Account, table: tables.Table, key: str) -> None:
    etag = await table.insert({"PartitionKey": key, "RowKey": key, "n": 1})
    etag = await table.replace({"PartitionKey": key, "RowKey": key, "n": 2}, etag)
    await table.put({"PartitionKey": key, "RowKey": key, "n": 3})
    assert [(row["PartitionKey"], row["RowKey"], row["n"]) for row in await rows(account, table)] == [(key, key, 3)]
    row = await table.get(key, key)
    assert row is not None
    assert row.properties == {"PartitionKey": key, "RowKey": key, "n": 3}
    await table.delete(key, key, row.etag)
    assert await table.get(key, key) is None


async def test_every_type_is_written_and_read_as_the_sdk_does(account: tables.Account, table: tables.Table) -> None:
    properties = {
        "PartitionKey": "p",
        "RowKey": "r",
        "text": "a\nb\x00",
        "bytes": bytes(range(256)),
        "small": 1,
        "negative": -1,
        "yes": True,
        "half": 0.5,
        "long": EntityProperty(2**60, EdmType.INT64),
        "typed": EntityProperty(7, EdmType.INT32),
    }
    await table.insert(properties)
    row = await table.get("p", "r")
    by_sdk = await account.service.get_table_client(table.name).get_entity("p", "r")
    assert row is not None
    assert row.properties == by_sdk == properties | {"typed": 7}
    assert (row.etag, row.written_at) == (by_sdk.metadata["etag"], by_sdk.metadata["timestamp"])


async def test_a_shared_access_signature_is_enough(stack: LocalStack, table: tables.Table) -> None:
    settings = dict(part.split("=", 1) for part in stack.storage_connection_string.split(";") if part)
    signature = generate_account_sas(
        AzureNamedKeyCredential(settings["AccountName"], settings["AccountKey"]),
        resource_types=ResourceTypes(service=True, object=True),
        permission=AccountSasPermissions(read=True, add=True, update=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    connection = f"TableEndpoint={settings['TableEndpoint']};SharedAccessSignature={signature}"
    async with tables.Account(Connection("STORAGE", connection)) as account:
        signed = tables.Table(account, table.name)
        etag = await signed.insert({"PartitionKey": "p", "RowKey": "r"})
        await signed.replace({"PartitionKey": "p", "RowKey": "r", "n": 1}, etag)
        row = await signed.get("p", "r")
    assert row is not None
    assert row.properties["n"] == 1


async def test_a_wrong_key_is_an_error_with_its_reason(stack: LocalStack) -> None:
    settings = dict(part.split("=", 1) for part in stack.storage_connection_string.split(";") if part)
    connection = ";".join(f"{name}={value}" for name, value in (settings | {"AccountKey": "d3Jvbmc="}).items())
    async with tables.Account(Connection("STORAGE", connection)) as account:
        with pytest.raises(StorageError, match="table Profiles: could not read: HTTP 403"):
            await tables.Table(account, "Profiles").get("p", "r")
