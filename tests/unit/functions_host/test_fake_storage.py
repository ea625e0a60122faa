"""The fake storage of the Functions host passes the contract of the real one."""

import pytest

from tests.contracts.host_storage import BlobRequestsContract, QueueRequestsContract
from tests.kit.host_storage import FakeBlobs, FakeQueue, FakeStorage


class TestFakeQueue(QueueRequestsContract):
    @pytest.fixture
    def queue(self) -> FakeQueue:
        return FakeQueue(FakeStorage(latency=0), "queue")


class TestFakeBlobs(BlobRequestsContract):
    @pytest.fixture
    def blobs(self) -> FakeBlobs:
        return FakeBlobs(FakeStorage(latency=0))
