"""The SDKs' own processors with checkpoints in blobs, two of them on one hub, as whoever reads exports runs them."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient
from azure.storage.blob import BlobServiceClient

from local.consumer_lag import consumer_lags
from local.stack.local_stack import LocalStack
from shared.bootstrap import clock
from tests.conftest import UniqueNames

PROGRAMS = Path(__file__).parent / "processors"
SDKS = {
    "python": [sys.executable, str(PROGRAMS / "processor.py")],
    "javascript": ["node", str(PROGRAMS / "processor.js")],
}
PATIENCE = 150.0
PARTITIONS = ("0", "1", "2", "3")
A_PARTITION = 25
"""Events that each partition gets at a time: a processor stores a checkpoint after 10 and 20."""

Place = tuple[str, int]


class Processor:
    """A running one, and what it has said."""

    def __init__(self, process: "subprocess.Popen[str]", changed: threading.Condition) -> None:
        self.process = process
        self.partitions: set[str] = set()
        self.events: list[Place] = []
        self.checkpoints: dict[str, int] = {}
        self._changed = changed
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self._take(json.loads(line))
                self._changed.notify_all()

    def _take(self, said: Any) -> None:
        partition, sequence = said["partition"], said["sequence"]
        match said["what"]:
            case "took":
                self.partitions.add(partition)
            case "gave up":
                self.partitions.discard(partition)
            case "event":
                self.events.append((partition, sequence))
            case "checkpoint":
                self.checkpoints[partition] = sequence

    def kill(self) -> None:
        """Without a word to anybody. All that it said before has been heard afterwards."""
        self.process.kill()
        self.process.wait()
        self._reading.join(PATIENCE)


class Processors:
    """Two of them, side by side."""

    def __init__(self, start: Callable[[threading.Condition], Processor]) -> None:
        self._changed = threading.Condition()
        self.one, self.other = start(self._changed), start(self._changed)

    @property
    def events(self) -> Counter[Place]:
        """How often each was read."""
        return Counter([*self.one.events, *self.other.events])

    def wait_until(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, PATIENCE), (self.one.__dict__, self.other.__dict__)

    def shared(self) -> bool:
        sizes = [len(each.partitions) for each in (self.one, self.other)]
        return sizes == [2, 2] and self.one.partitions | self.other.partitions == set(PARTITIONS)


@pytest.fixture
def hub(stack: LocalStack, names: UniqueNames) -> str:
    stack.broker.create_hub(names.hub, len(PARTITIONS), consumer_groups=["loader"])
    return names.hub


@pytest.fixture
def container(stack: LocalStack, names: UniqueNames) -> str:
    with BlobServiceClient.from_connection_string(stack.storage_connection_string) as blobs:
        blobs.create_container(names.queue)
    return names.queue


@contextmanager
def processors(stack: LocalStack, command: list[str]) -> Iterator[Processors]:
    environment = {
        **os.environ,
        "EVENTHUBS": stack.event_hubs_connection_string,
        "STORAGE": stack.storage_connection_string,
    }
    with ExitStack() as running:

        def start(changed: threading.Condition) -> Processor:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            running.callback(process.communicate)
            running.callback(process.kill)
            return Processor(process, changed)

        yield Processors(start)


def put(stack: LocalStack, hub: str) -> None:
    """As many events as are put at a time into each partition."""
    with EventHubProducerClient.from_connection_string(
        stack.event_hubs_connection_string, eventhub_name=hub
    ) as producer:
        for partition in PARTITIONS:
            producer.send_batch([EventData(str(number)) for number in range(A_PARTITION)], partition_id=partition)


@pytest.mark.parametrize("sdk", SDKS)
def test_two_share_the_partitions_and_after_a_kill_nothing_comes_twice_but_what_no_checkpoint_covers(
    stack: LocalStack, hub: str, container: str, sdk: str
) -> None:
    with processors(stack, [*SDKS[sdk], hub, "loader", container]) as both:
        both.wait_until(both.shared)
        put(stack, hub)
        both.wait_until(lambda: len(both.events) == len(PARTITIONS) * A_PARTITION)
        assert set(both.events.values()) == {1}
        both.wait_until(lambda: both.one.checkpoints | both.other.checkpoints == dict.fromkeys(PARTITIONS, 19))
        killed, left = both.one, both.other
        its = set(killed.partitions)
        killed.kill()
        put(stack, hub)
        everything = {(partition, number) for partition in PARTITIONS for number in range(2 * A_PARTITION)}
        both.wait_until(lambda: both.events.keys() == everything)
        assert left.partitions == set(PARTITIONS)
        twice = defaultdict(set)
        for (partition, number), times in both.events.items():
            if times > 1:
                twice[partition].add(number)
        assert twice == {partition: set(range(20, A_PARTITION)) for partition in its}
        both.wait_until(lambda: left.checkpoints == dict.fromkeys(PARTITIONS, 49))
    put(stack, hub)
    connections = stack.event_hubs_connection_string, hub, stack.storage_connection_string
    (lag,) = asyncio.run(consumer_lags(*connections, container, clock())).groups
    assert (lag.group, lag.events, lag.problems()) == ("loader", len(PARTITIONS) * A_PARTITION, [])
    # The same name, and nothing in it.
    stack.broker.delete_hub(hub)
    stack.broker.create_hub(hub, len(PARTITIONS))
    (lag,) = asyncio.run(consumer_lags(*connections, container, clock())).groups
    assert (lag.events, lag.earlier) == (0, list(PARTITIONS))
