"""The contracts of QueueRequests and BlobRequests, which the Functions host stand-in asks of storage."""

import pytest

from local.functions_host.storage.requests import BlobRequests, QueueRequests, StorageRequestError

GONE = (404, "MessageNotFound")
OUTDATED = ((400, "PopReceiptMismatch"), GONE)
"""Azurite says the first; the service may say the second, too."""


class QueueRequestsContract:
    """`queue` is one that is not there yet."""

    @pytest.fixture
    def queue(self) -> QueueRequests:
        raise NotImplementedError

    async def test_a_missing_queue_is_not_made_by_asking(self, queue: QueueRequests) -> None:
        assert not await queue.exists()
        with pytest.raises(StorageRequestError) as refusal:
            await queue.get(1, 600)
        assert (refusal.value.status, refusal.value.code) == (404, "QueueNotFound")
        with pytest.raises(StorageRequestError) as refusal:
            await queue.put("x")
        assert (refusal.value.status, refusal.value.code) == (404, "QueueNotFound")
        assert not await queue.exists()

    async def test_making_a_queue_twice_is_no_error(self, queue: QueueRequests) -> None:
        await queue.create()
        await queue.put("kept")
        await queue.create()
        assert await queue.exists()
        assert [each.text for each in await queue.get(32, 600)] == ["kept"]

    async def test_what_was_got_is_hidden_and_counted(self, queue: QueueRequests) -> None:
        await queue.create()
        for text in ("a", "b", "c"):
            await queue.put(text)
        got = await queue.get(2, 600)
        assert sorted(each.text for each in [*got, *await queue.get(32, 600)]) == ["a", "b", "c"]
        assert await queue.get(32, 600) == []
        first = got[0]
        assert first.dequeue_count == 1
        assert first.inserted_on is not None
        assert first.expires_on is not None
        assert (first.expires_on - first.inserted_on).days == 7
        await queue.update(first.id, first.pop_receipt, 0)
        (again,) = await queue.get(32, 600)
        assert (again.id, again.dequeue_count, again.inserted_on) == (first.id, 2, first.inserted_on)

    async def test_an_outdated_receipt_is_refused_and_so_is_a_message_that_is_gone(self, queue: QueueRequests) -> None:
        await queue.create()
        await queue.put("x")
        (message,) = await queue.get(1, 600)
        receipt = await queue.update(message.id, message.pop_receipt, 600)
        assert receipt != message.pop_receipt
        with pytest.raises(StorageRequestError) as refusal:
            await queue.delete(message.id, message.pop_receipt)
        assert (refusal.value.status, refusal.value.code) in OUTDATED
        with pytest.raises(StorageRequestError) as refusal:
            await queue.update(message.id, message.pop_receipt, 0)
        assert (refusal.value.status, refusal.value.code) in OUTDATED
        await queue.delete(message.id, receipt)
        with pytest.raises(StorageRequestError) as refusal:
            await queue.delete(message.id, receipt)
        assert (refusal.value.status, refusal.value.code) == GONE
        with pytest.raises(StorageRequestError) as refusal:
            await queue.update(message.id, receipt, 0)
        assert (refusal.value.status, refusal.value.code) == GONE


class BlobRequestsContract:
    """`blobs` is of a container that is not there yet."""

    @pytest.fixture
    def blobs(self) -> BlobRequests:
        raise NotImplementedError

    async def test_what_is_not_there_is_404_until_it_is_made(self, blobs: BlobRequests) -> None:
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.acquire_lease("a/lock", 60)
        assert refusal.value.status == 404
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.write("a/lock", b"")
        assert refusal.value.status == 404
        await blobs.create_container()
        await blobs.create_container()
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.acquire_lease("a/lock", 60)
        assert refusal.value.status == 404
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.read("a/lock")
        assert refusal.value.status == 404
        await blobs.write("a/lock", b"content")
        assert await blobs.read("a/lock") == b"content"

    async def test_a_lease_is_one_holders_until_it_is_released(self, blobs: BlobRequests) -> None:
        await blobs.create_container()
        await blobs.write("lock", b"")
        lease = await blobs.acquire_lease("lock", 60)
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.acquire_lease("lock", 60)
        assert refusal.value.status == 409
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.write("lock", b"")
        assert refusal.value.status == 412
        await blobs.renew_lease("lock", lease)
        await blobs.release_lease("lock", lease)
        other = await blobs.acquire_lease("lock", 60)
        assert other != lease
        with pytest.raises(StorageRequestError) as refusal:
            await blobs.renew_lease("lock", lease)
        assert refusal.value.status == 409
