"""What measurements take for Table Storage does what the app asks of Azurite."""

import base64
import os
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from bench.tables.stand_in import TableStandIn
from shared.adapters.tables.members import TableMembers
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.service.table import Account, Table
from shared.adapters.tables.undelivered import TableUndelivered
from shared.errors import ConflictError, StorageError
from shared.settings import PROFILE_BUCKETS, Connection
from tests.contracts.member_index import MemberIndexContract
from tests.contracts.profile_store import ProfileStoreContract
from tests.contracts.undelivered_store import UndeliveredStoreContract

_CONFLICT_EVERY = 1_000


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TableStandIn]:
    with TableStandIn(tmp_path_factory.mktemp("tables") / "tables.log", conflict_every=_CONFLICT_EVERY) as part:
        part.start()
        yield part


@pytest.fixture
async def account(stand_in: TableStandIn) -> AsyncIterator[Account]:
    """Of the test's own."""
    others = "AccountName=a;AccountKey=c2VjcmV0;"
    async with Account(Connection("STORAGE", stand_in.connection_string(f"a{uuid.uuid4().hex}", others))) as client:
        yield client


@pytest.fixture
async def table(account: Account) -> Table:
    table = Table(account, "Rows")
    await table.create_if_missing()
    await table.create_if_missing()
    return table


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
class TestProfiles(ProfileStoreContract):
    @pytest.fixture
    def store(self, table: Table) -> TableProfiles:
        return TableProfiles([table] * PROFILE_BUCKETS)

    @pytest.fixture
    def too_large(self) -> str:
        return base64.b64encode(os.urandom(1_100_000)).decode()


class TestUndelivered(UndeliveredStoreContract):
    @pytest.fixture
    def store(self, table: Table) -> TableUndelivered:
        return TableUndelivered(table)


class TestMembers(MemberIndexContract):
    @pytest.fixture
    def index(self, table: Table) -> TableMembers:
        return TableMembers(table)


async def test_accounts_and_tables_are_apart(account: Account, table: Table) -> None:
    await table.put({"PartitionKey": "p", "RowKey": "r"})
    other = Table(account, "Others")
    with pytest.raises(StorageError, match="the table is missing"):
        await other.get("p", "r")
    await other.create_if_missing()
    assert await other.get("p", "r") is None


async def test_conflicts_come_on_demand(table: Table) -> None:
    """As from another writer who saved the same: the row has another etag afterwards, by which a save goes on."""
    etag, conflicts = await table.insert({"PartitionKey": "p", "RowKey": "r", "n": 1}), 0
    for _ in range(2 * _CONFLICT_EVERY):
        try:
            etag = await table.replace({"PartitionKey": "p", "RowKey": "r", "n": 1}, etag)
        except ConflictError:
            conflicts += 1
            row = await table.get("p", "r")
            assert row is not None
            assert row.etag != etag
            etag = row.etag
    assert conflicts == 2
