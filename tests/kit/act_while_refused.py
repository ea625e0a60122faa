"""Run by tests/integration/test_refused_tokens.py in a process of its own, which trusts the test's certificate.

Reads the ports of Azurite's services, the certificate's path and the answer's WWW-Authenticate; withdraws the tokens of
adapters at work on tables, queues and blobs, and writes what became of their requests.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from shared.adapters.queues import queue
from shared.adapters.tables.service.table import Account, Table
from shared.adapters.upload_files import BlobUploadFiles
from shared.errors import RelayError
from shared.settings import Settings
from tests.kit.storage_by_token import TokenFront, settings_of, token_front

CALLS_WHILE_NONE_IS_TAKEN = 5
Call = Callable[[], Awaitable[Any]]


async def calls(settings: Settings, stack: AsyncExitStack) -> dict[str, Call]:
    """One of each kind of request, by name; all of them may be made again."""
    account = await stack.enter_async_context(Account(settings.tables("RELAY_STORAGE")))
    table = Table(account, "Refused")
    pointers = await stack.enter_async_context(queue.connect(settings.queues(), "refused"))
    files = BlobUploadFiles(settings.blobs)
    stack.push_async_callback(files.close)
    await table.create_if_missing()
    await table.put(_row("kept"))
    await queue.Queue(pointers).create_if_missing()
    await files.write("file", b"1\n2\n")

    async def rows_go_in_a_batch() -> None:
        await table.put(_row("batch"))
        await table.delete_all("p", ["batch"])

    async def file_is_read() -> bytes:
        found = await files.find("file")
        assert found is not None
        return await files.read("file", found.etag, 2, 2)

    return {
        "row read": lambda: table.get("p", "kept"),
        "row put": lambda: table.put(_row("put")),
        "rows queried": lambda: _all(table.partition("p")),
        "page of rows": lambda: table.page("PartitionKey eq @p", {"p": "p"}, most=1),
        "rows deleted in a batch": rows_go_in_a_batch,
        "message put": lambda: queue.Queue(pointers).put("hello"),
        "messages counted": pointers.get_queue_properties,
        "file written": lambda: files.write("written", b"x" * 100_000),
        "file read": file_is_read,
        "address signed": lambda: files.grant("granted", int(time.time() + 60) * 1_000_000),
    }


async def _all(rows: AsyncIterator[Any]) -> list[Any]:
    return [row async for row in rows]


def _row(key: str) -> dict[str, Any]:
    return {"PartitionKey": "p", "RowKey": key, "value": key}


async def outcomes(made: dict[str, Call]) -> dict[str, str]:
    """What each call came to, all at once: `ok`, or the kind of its failure and its words."""
    results = await asyncio.gather(*(call() for call in made.values()), return_exceptions=True)
    return {name: told(result) for name, result in zip(made, results, strict=True)}


def told(result: Any) -> str:
    return f"{type(result).__name__}: {result}" if isinstance(result, BaseException) else "ok"


async def act(front: TokenFront, settings: Settings) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        made = await calls(settings, stack)
        before = await outcomes(made)
        front.withdraw()
        withdrawn = await outcomes(made)
        refusals = dict(front.refusals)
        again = await outcomes(made)
        front.takes_none = True
        del made["messages counted"]  # which the adapter translates where it is of use
        none_taken = [await outcomes(made) for _ in range(CALLS_WHILE_NONE_IS_TAKEN)][-1]
    return {"before": before, "withdrawn": withdrawn, "again": again, "none": none_taken, "refusals": refusals}


async def main() -> None:
    asked = json.load(sys.stdin)
    async with token_front(asked["ports"], Path(asked["certificate"])) as front:
        front.challenge = asked["challenge"]
        answer = await act(front, Settings.from_environment(asked["settings"] | settings_of(front.ports)))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except RelayError as error:
        sys.exit(str(error))
