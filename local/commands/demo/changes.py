"""Puts profile changes on the queue of the demo's stack, and tells what the app made of them."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from azure.storage.queue.aio import QueueClient

from local.stack.functions_host import Invocations
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.bootstrap import clock
from shared.domain.instants import parse_instant
from shared.domain.messages.batches import MessageBatches
from shared.domain.messages.outgoing import item_text

CHANGES_IN_A_MESSAGE = 10
CHANGES_PER_SECOND = 100
_OUTCOME = re.compile(r"exported (\{.*\})")


class Changes:
    """`sent_at` (epoch microseconds) is known by (profile id, occurredAt) of each change."""

    def __init__(self, stack: LocalStack) -> None:
        self.sent = 0
        self.messages = 0
        self.sent_at: dict[tuple[str, int], int] = {}
        self._stack = stack
        self._queue = QueueClient.from_connection_string(
            stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False
        )

    async def send_file(self, file: Path, warm: asyncio.Event) -> None:
        """Send the changes in `file`, a few a message and at a steady rate, as an upstream system would.

        The first message goes ahead alone, until the app has connected and its export is there (`warm`): the latency
        of the others is then the app's, and not that of its start.
        """
        lines = (await asyncio.to_thread(file.read_bytes)).splitlines()
        batches = MessageBatches(most_changes=CHANGES_IN_A_MESSAGE)
        full = (batches.add(number, item_text(line)) for number, line in enumerate(lines, start=1))
        for message in (*filter(None, full), batches.flush()):
            if message is None:
                continue
            if self.messages == 1:
                await warm.wait()
            await asyncio.sleep(message.changes / CHANGES_PER_SECOND)
            await self._put(message.text, lines[message.first_line - 1 : message.last_line])

    async def send(self, change: Mapping[str, Any]) -> None:
        """Send one change."""
        text = json.dumps(change)
        await self._put(text, [text.encode()])

    async def _put(self, text: str, lines: list[bytes]) -> None:
        now = clock()
        for line in lines:
            written = json.loads(line)
            self.sent_at.setdefault((written["profileId"], parse_instant(written["occurredAt"])), now)
        await self._queue.send_message(text)
        self.sent += len(lines)
        self.messages += 1

    def invocations(self) -> Invocations:
        """By messages. One that failed, as on a machine that is too slow for storage, comes again."""
        return self._stack.functions_host.invocations().get("export_profile_changes", Invocations())

    def outcomes(self) -> list[dict[str, Any]]:
        """What the app logged of each message it finished."""
        log = self._stack.functions_host.log.read_text(encoding="utf-8")
        return [json.loads(outcome) for outcome in _OUTCOME.findall(log)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._queue.close()
