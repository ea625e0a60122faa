"""`python -m local lag`: how far consumers are behind, by checkpoints that the SDK's own store writes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient, parse_connection_string
from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
from azure.storage.blob import BlobServiceClient

from local import cli
from local.stack.local_stack import LocalStack
from tests.conftest import UniqueNames


def test_how_far_consumers_are_behind_and_what_is_wrong(
    stack: LocalStack,
    names: UniqueNames,
    state: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack.broker.create_hub(names.hub, 2)
    with EventHubProducerClient.from_connection_string(
        stack.event_hubs_connection_string, eventhub_name=names.hub
    ) as producer:
        producer.send_batch([EventData(str(number)) for number in range(10)], partition_id="0")
    namespace = parse_connection_string(stack.event_hubs_connection_string).fully_qualified_namespace

    def lag(hub: str, *options: str) -> tuple[int, str, str]:
        code = cli.main(["lag", hub, names.queue, *options, "--state-dir", str(state)])
        return code, *capsys.readouterr()

    def write(group: str, sequence: int) -> None:
        asyncio.run(_checkpoint(stack, names, namespace, group, sequence))

    assert lag(names.hub, "--storage", "garbage")[2].startswith(
        "error: --storage: expected a storage connection string"
    )
    spaced = stack.storage_connection_string.replace(";", " ; ")
    assert "there is no container of this name" in lag(names.hub, "--storage", spaced)[2]
    code, _, said = lag(names.hub)
    assert code == 1
    assert said.endswith(f"/{names.queue}: there is no container of this name in the account\n")
    with BlobServiceClient.from_connection_string(stack.storage_connection_string) as blobs:
        blobs.create_container(names.queue)
        blobs.get_blob_client(names.queue, "members.csv").upload_blob(b"not a checkpoint")
    assert "found none at all: name the container that its consumers write to" in lag(names.hub)[2]
    write("Loader", 3)
    code, printed, _ = lag(names.hub)
    assert (code, printed.split()[:4]) == (0, ["loader", "6", "events", "behind,"])
    write("rebuilt", 10)
    code, printed, _ = lag(names.hub, "--json")
    documents: list[dict[str, Any]] = [json.loads(line) for line in printed.splitlines()]
    assert code == 1
    assert [(each["consumerGroup"], each["events"], each["earlier"]) for each in documents] == [
        ("loader", 6, []),
        ("rebuilt", 0, ["0"]),
    ]
    stack.broker.create_hub(f"{names.hub}-other", 1)
    assert f"/{names.hub}: name the container" in lag(f"{names.hub}-other")[2]
    assert f"hub {names.hub}-missing: its partitions could not be looked at" in lag(f"{names.hub}-missing")[2]


async def _checkpoint(stack: LocalStack, names: UniqueNames, namespace: str, group: str, sequence: int) -> None:
    store = BlobCheckpointStore.from_connection_string(stack.storage_connection_string, names.queue)
    async with store:
        await store.update_checkpoint(
            {
                "fully_qualified_namespace": namespace,
                "eventhub_name": names.hub,
                "consumer_group": group,
                "partition_id": "0",
                "sequence_number": sequence,
                "offset": "0",
            }
        )
