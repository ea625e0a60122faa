"""The checkpoints of consumers in blobs: the contract on Azurite with the SDK's own store; what is wrong is told apart.
And where partitions end, by the management node of the hub stand-in.
"""

import socket
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient, parse_connection_string
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from azure.storage.blob import BlobServiceClient

from local.stack.local_stack import LocalStack
from shared.adapters import checkpoints
from shared.adapters.checkpoints import BlobCheckpoints
from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.properties import EventHubsProperties
from shared.bootstrap import build
from shared.domain.configuration.model import Destination
from shared.domain.exports.lag import PartitionEnds, group_lags
from shared.errors import ConsumerLagError
from shared.settings import Connection
from tests.conftest import UniqueNames
from tests.contracts.checkpoint_reader import HUB, CheckpointReaderContract, Write
from tests.kit.builders import configuration, destination
from tests.kit.fakes.configuration import MemorySecrets

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the SDK leaves them to the garbage collector
    pytest.mark.filterwarnings("ignore:loop is closed:ResourceWarning"),
]
CONTOSO = "contoso.servicebus.windows.net"


async def write_checkpoint(store: BlobCheckpointStore, namespace: str, hub: str, partition: str, sequence: int) -> None:
    """As a processor of the consumer group `Loader` does."""
    await store.update_checkpoint(
        {
            "fully_qualified_namespace": namespace,
            "eventhub_name": hub,
            "consumer_group": "Loader",
            "partition_id": partition,
            "sequence_number": sequence,
            "offset": "0",
        }
    )


@pytest.fixture
def blobs(stack: LocalStack) -> BlobCheckpoints:
    return BlobCheckpoints(lambda: Connection("RELAY_STORAGE", stack.storage_connection_string))


@pytest.fixture
def account(stack: LocalStack) -> Any:
    with BlobServiceClient.from_connection_string(stack.storage_connection_string) as account:
        yield account


@pytest.fixture
def new_container(account: Any) -> str:
    name = f"c-{uuid.uuid4().hex}"
    account.create_container(name)
    return str(account.get_container_client(name).url)


@pytest.fixture
async def sdk_store(stack: LocalStack, new_container: str) -> AsyncIterator[BlobCheckpointStore]:
    name = new_container.rpartition("/")[2]
    async with BlobCheckpointStore.from_connection_string(stack.storage_connection_string, name) as store:
        yield store


@pytest.fixture
def sdk_write(sdk_store: BlobCheckpointStore) -> Write:
    async def write(namespace: str, hub: str, partition: str, sequence: int) -> None:
        await write_checkpoint(sdk_store, namespace, hub, partition, sequence)

    return write


class TestBlobCheckpoints(CheckpointReaderContract):
    @pytest.fixture
    def reader(self, blobs: BlobCheckpoints) -> BlobCheckpoints:
        return blobs

    @pytest.fixture
    def container(self, new_container: str) -> str:
        return new_container

    @pytest.fixture
    def write(self, sdk_write: Write) -> Write:
        return sdk_write


async def test_ownerships_and_other_blobs_are_passed_over(
    blobs: BlobCheckpoints, sdk_store: BlobCheckpointStore, new_container: str, account: Any
) -> None:
    name = new_container.rpartition("/")[2]
    await sdk_store.claim_ownership(
        [
            {
                "fully_qualified_namespace": CONTOSO,
                "eventhub_name": "crm",
                "consumer_group": "loader",
                "partition_id": "0",
                "owner_id": "somebody",
                "etag": None,
                "last_modified_time": None,
            }
        ]
    )
    account.get_blob_client(name, f"{CONTOSO}/crm/loader/checkpoint/0/below").upload_blob(b"x")
    account.get_blob_client(name, "members.csv").upload_blob(b"not a checkpoint")
    assert await blobs.read(new_container, CONTOSO, "crm") == []


async def test_more_pages_than_anybody_needs(
    blobs: BlobCheckpoints, new_container: str, sdk_write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_PAGE", 2)
    for partition in range(8):
        await sdk_write(CONTOSO, HUB, str(partition), 1)
    assert len(await blobs.read(new_container, CONTOSO, HUB)) == 8
    await sdk_write(CONTOSO, HUB, "8", 1)
    with pytest.raises(ConsumerLagError, match="more than 8 blobs") as raised:
        await blobs.read(new_container, CONTOSO, HUB)
    assert raised.value.kind == "refused"


async def test_a_local_account_that_is_not_the_apps_own_is_not_asked(
    blobs: BlobCheckpoints, new_container: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/devstoreaccount1/crm"
        with pytest.raises(ConsumerLagError, match="expected a container of Azure, or one of the app's own") as raised:
            await blobs.read(url, CONTOSO, "crm")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert raised.value.kind == "refused"


async def test_whoever_may_not_read_it_is_told_which_role_that_takes(stack: LocalStack, new_container: str) -> None:
    parts = dict(part.partition("=")[::2] for part in stack.storage_connection_string.split(";"))
    wrong = ";".join(f"{name}={'AAAA' if name == 'AccountKey' else value}" for name, value in parts.items())
    with pytest.raises(ConsumerLagError, match="give the app's identity the role Storage Blob Data Reader") as raised:
        await BlobCheckpoints(lambda: Connection("RELAY_STORAGE", wrong)).read(new_container, CONTOSO, "crm")
    assert raised.value.kind == "forbidden"
    assert "AAAA" not in str(raised.value)


async def test_an_account_that_does_not_answer(stack: LocalStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/devstoreaccount1"
        connection = Connection(
            "S", f"AccountName=devstoreaccount1;AccountKey=AAAA;BlobEndpoint={endpoint};TableEndpoint={endpoint}"
        )
        with pytest.raises(ConsumerLagError, match=r"were not listed within 0\.2 s") as raised:
            await BlobCheckpoints(lambda: connection, timeout=0.2).read(f"{endpoint}/crm", CONTOSO, "crm")
    assert raised.value.kind == "unreachable"


@pytest.fixture
def hubs(stack: LocalStack) -> EventHubsProperties:
    connection = Connection("EVENTHUBS", stack.event_hubs_connection_string)
    return EventHubsProperties(HubConnections(lambda _: connection, MemorySecrets(), local=True))


async def test_where_partitions_end_and_how_far_a_group_is(
    stack: LocalStack,
    names: UniqueNames,
    hubs: EventHubsProperties,
    blobs: BlobCheckpoints,
    new_container: str,
    sdk_write: Write,
) -> None:
    stack.broker.create_hub(names.hub, 3)
    with EventHubProducerClient.from_connection_string(
        stack.event_hubs_connection_string, eventhub_name=names.hub
    ) as producer:
        producer.send_batch([EventData(str(number)) for number in range(10)], partition_id="1")
    found = await hubs.ends(Destination(id="d", name="d", event_hub_name=names.hub))
    namespace = parse_connection_string(stack.event_hubs_connection_string).fully_qualified_namespace
    assert (found.namespace, found.hub) == (namespace, names.hub)
    filled = found.partitions["1"]
    assert filled.enqueued_at is not None
    assert 0 <= filled.enqueued_at - found.created_at < 3_600 * 10**6
    empty = PartitionEnds(0, -1)
    assert found.partitions == {"0": empty, "1": PartitionEnds(0, 9, filled.enqueued_at), "2": empty}
    assert stack.broker.stats().hubs[names.hub].transfers == 1  # that of the producer above
    await sdk_write(namespace, names.hub, "1", 3)
    (lag,) = group_lags(await blobs.read(new_container, found.namespace, names.hub), found)
    assert (lag.group, lag.events, lag.first_unread) == ("loader", 6, {"1": 4})


async def test_a_hub_that_is_not_there(names: UniqueNames, hubs: EventHubsProperties) -> None:
    with pytest.raises(ConsumerLagError, match=f"hub {names.hub}: its partitions could not be looked at: ") as raised:
        await hubs.ends(Destination(id="d", name="d", event_hub_name=names.hub))
    assert raised.value.kind == "hub"


async def test_the_app_looks_by_itself_and_finds_what_the_sdks_store_wrote(tmp_path: Path) -> None:
    """With its own connections: by the URL of the stack's own account, and by the app setting of the hub."""
    with LocalStack(tmp_path) as stack:
        with EventHubProducerClient.from_connection_string(
            stack.event_hubs_connection_string, eventhub_name="crm"
        ) as producer:
            producer.send_batch([EventData(str(number)) for number in range(10)], partition_id="0")
        namespace = parse_connection_string(stack.event_hubs_connection_string).fully_qualified_namespace
        with BlobServiceClient.from_connection_string(stack.storage_connection_string) as account:
            account.create_container("crm-checkpoints")
            url = account.get_container_client("crm-checkpoints").url
        async with BlobCheckpointStore.from_connection_string(
            stack.storage_connection_string, "crm-checkpoints"
        ) as store:
            await write_checkpoint(store, namespace, "crm", "0", 3)
        document = {
            "destinations": [destination("d", eventHubName="crm", consumerCheckpoints=url)],
            "dataflows": [{"id": "d", "audiences": ["a"]}],
        }
        relay = await build(stack.settings)
        try:
            await relay.configuration.save(configuration(document), None)
            assert await relay.services.consumer_lags.watch() == {"d": ""}
            look = await relay.services.consumer_lags.kept(configuration(document).destination("d"))
        finally:
            await relay.close()
    assert look is not None
    (group,) = look.groups
    assert (group.group, group.behind, group.unread) == ("loader", {"0": 6}, ["1", "2", "3"])
