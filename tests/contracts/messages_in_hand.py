"""The contract of MessagesInHand: what receipts are good for, and for how long."""

from typing import Protocol

import pytest

from shared.adapters.queues.in_hand import QUEUE, decode_note
from shared.ports.in_hand import MessageInHand, MessagesInHand
from tests.kit.memory_queues import Taken

NOTED = [MessageInHand("changes", "1", "one"), MessageInHand("retries", "2", "two"), MessageInHand("changes", "3", "x")]
LONG = 600.0


class Host(Protocol):
    """What a host does to the same queues, which are there and empty: `changes` and the notes'."""

    async def put(self, queue: str, text: str) -> None: ...

    async def take(self, queue: str) -> list[Taken]:
        """All that is visible, hidden for long from then on."""

    async def settle(self, message: MessageInHand) -> None: ...


class MessagesInHandContract:
    @pytest.fixture
    def messages(self) -> MessagesInHand:
        raise NotImplementedError

    @pytest.fixture
    def host(self) -> Host:
        raise NotImplementedError

    async def noted(self, host: Host) -> list[list[MessageInHand]]:
        return [decode_note(taken.text.encode()) for taken in await host.take(QUEUE)]

    async def test_a_note_is_hidden_until_its_time_is_over(self, messages: MessagesInHand, host: Host) -> None:
        note = await messages.put_note([], LONG)
        written = await messages.write_note(note, NOTED[:1], LONG)
        assert written is not None
        assert written.receipt != note.receipt
        assert await self.noted(host) == []
        assert await messages.write_note(written, NOTED, 0) is not None
        (found,) = await self.noted(host)
        assert sorted(found, key=lambda message: message.id) == NOTED
        assert await self.noted(host) == []

    async def test_a_note_that_another_has_is_not_written(self, messages: MessagesInHand, host: Host) -> None:
        note = await messages.put_note(NOTED, 0)
        (taken,) = await host.take(QUEUE)
        assert await messages.write_note(note, [], 0) is None
        await messages.delete_note(note)
        await host.settle(taken.message)
        assert await messages.write_note(note, [], 0) is None
        await messages.delete_note(note)

    async def test_a_note_is_deleted_by_its_last_receipt_alone(self, messages: MessagesInHand, host: Host) -> None:
        note = await messages.put_note(NOTED, LONG)
        written = await messages.write_note(note, NOTED, LONG)
        assert written is not None
        await messages.delete_note(note)
        again = await messages.write_note(written, NOTED, LONG)
        assert again is not None
        await messages.delete_note(again)
        assert await messages.write_note(again, NOTED, 0) is None

    async def test_a_message_is_given_back_once_by_its_receipt(self, messages: MessagesInHand, host: Host) -> None:
        await host.put("changes", "text & more")
        (taken,) = await host.take("changes")
        assert await host.take("changes") == []
        assert await messages.hide(taken.message, 0)
        assert not await messages.hide(taken.message, 0)
        (again,) = await host.take("changes")
        assert (again.message.id, again.text) == (taken.message.id, "text & more")
        assert not await messages.hide(taken.message, 0)
        assert await messages.hide(again.message, LONG)
        assert await host.take("changes") == []

    async def test_a_message_that_is_settled_is_not_given_back(self, messages: MessagesInHand, host: Host) -> None:
        await host.put("changes", "text")
        (taken,) = await host.take("changes")
        await host.settle(taken.message)
        assert not await messages.hide(taken.message, 0)
        assert await host.take("changes") == []
