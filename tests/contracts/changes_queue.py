"""The contract of ChangesQueue."""

import pytest

from shared.errors import MessageTooLargeError
from shared.ports.queues import ChangesQueue

LIMIT = 65_536


class ChangesQueueContract:
    """`queue` is empty; `bodies` is what the app would receive, in any order."""

    @pytest.fixture
    def queue(self) -> ChangesQueue:
        raise NotImplementedError

    async def bodies(self, queue: ChangesQueue) -> list[bytes]:
        raise NotImplementedError

    async def test_what_is_put_is_received(self, queue: ChangesQueue) -> None:
        put = [b"{}", '{"text":"\u00fc <&>"}'.encode(), b'"%s"' % (b"x" * (LIMIT - 2))]
        for body in put:
            await queue.put(body)
        assert sorted(await self.bodies(queue)) == sorted(put)

    async def test_what_is_too_large_is_refused_and_not_put(self, queue: ChangesQueue) -> None:
        with pytest.raises(MessageTooLargeError):
            await queue.put(b"x" * (LIMIT + 1))
        assert await self.bodies(queue) == []
