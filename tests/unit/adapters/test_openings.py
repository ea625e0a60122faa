"""Connections that are opened in turn: who waits for others is not blamed, and one that hangs keeps nobody for long."""

import asyncio

from shared.adapters.event_hubs.connections import HubAccess
from shared.adapters.event_hubs.hub_connection import HubConnection, KeptAccess, NoAnswerError
from shared.errors import FailureCode, SecretError, SendError
from shared.places import Places
from tests.kit.virtual_time import run_virtually

TIMEOUT = 5.0


def opened(*takes: float | None, patience: float) -> list[tuple[float, str]]:
    """When each of these connections failed, opened in this order one at a time, and how. For each: how long it takes
    until its key cannot be read; None for one that hangs.
    """

    async def main() -> list[tuple[float, str]]:
        loop, openings = asyncio.get_running_loop(), Places(1, patience)

        async def fail(seconds: float | None) -> tuple[float, str]:
            async def read() -> HubAccess:
                await asyncio.sleep(1e6 if seconds is None else seconds)
                raise SecretError("no key")

            kept = KeptAccess(read)
            connection = HubConnection("d", kept, TIMEOUT, openings)
            try:
                await connection.partitions()
            except SendError as error:
                kept.close()
                return round(loop.time() - began, 3), "hangs" if isinstance(error, NoAnswerError) else error.code
            raise AssertionError

        began = loop.time()
        return await asyncio.gather(*map(fail, takes))

    return run_virtually(main)


def test_the_time_for_an_answer_begins_when_it_is_ones_turn() -> None:
    code = FailureCode.NO_CREDENTIALS
    assert opened(4, 4, 4, patience=60) == [(4, code), (8, code), (12, code)]


def test_a_hub_that_hangs_keeps_others_waiting_only_for_a_while() -> None:
    assert opened(None, 2, patience=1) == [(TIMEOUT, "hangs"), (3, FailureCode.NO_CREDENTIALS)]
