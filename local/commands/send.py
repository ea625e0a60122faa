"""`python -m local send`: put profile changes on the queue."""

import argparse
import asyncio
import json
import sys
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError, ServiceRequestError
from azure.storage.queue.aio import QueueClient

from local import cli_types
from local.commands.output.send_progress import SendProgress, progress_for
from local.errors import LocalError
from local.lines import numbered_lines, opened
from local.stack.local_stack import CHANGES_QUEUE
from local.stack.state import PROFILE_CHANGES_QUEUE, StateDirectory
from shared.adapters.queues import queue
from shared.domain.messages.batches import MESSAGE_LIMIT
from shared.errors import ChangeRefusedError, SettingError, StorageError
from shared.upstream import SendChanges, open_queue, open_queue_of_account

SUMMARY = "put profile changes on the queue"
DESCRIPTION = """\
Put profile changes on the queue, as an upstream system would. FILE has one change, a JSON object, a line; "-" reads
standard input, and sends what has come whenever the input pauses. Changes go in batches of as many as fit a queue
message. A line that the app would put in quarantine is not sent but reported by its number.
"""
EPILOG = """\
Without --queue-url they go to the running local stack, or to the account of the environment variable RELAY_STORAGE, a
connection string. Exit codes: 0 all is on the queue; 3 all but the lines that were refused; 1 sending stopped, and the
error says from which line to go on; 2 wrong arguments; 130 interrupted. Sending a line twice does no harm.
"""
REFUSED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("file", metavar="FILE", help="newline-delimited JSON, or - for standard input")
    parser.add_argument(
        "--queue-url",
        metavar="URL",
        help="send to this queue, such as https://contoso.queue.core.windows.net/profile-changes, as who is signed in "
        "(az login, a managed identity, …); takes the role Storage Queue Data Message Sender",
    )
    parser.add_argument("--queue", metavar="NAME", help=f"default: setting {PROFILE_CHANGES_QUEUE}, or {CHANGES_QUEUE}")
    parser.add_argument("--create-queue", action="store_true", help="create the queue if it is missing")
    parser.add_argument("--from-line", type=cli_types.positive_int, default=1, metavar="N", help="skip what is before")
    parser.add_argument(
        "--refused", type=Path, metavar="FILE", help="keep lines that are refused, to mend and send them"
    )
    parser.add_argument("--unchecked", action="store_true", help="send what the app would put in quarantine, too")
    parser.add_argument(
        "--batch-bytes",
        type=cli_types.message_bytes,
        default=MESSAGE_LIMIT,
        metavar="N",
        help="JSON bytes a message at most (default %(default)s, the most there can be)",
    )
    parser.add_argument("--rate", type=cli_types.rate, metavar="N/s", help="send at most N changes a second")
    parser.add_argument("--json", action="store_true", help="what was sent as one JSON object")
    parser.add_argument("--base64", action="store_true", help="encode messages, as older Azure SDKs do")


def run(args: argparse.Namespace) -> int:
    with opened(args.file) as descriptor, progress_for(descriptor) as progress:
        return asyncio.run(_Sending(args, descriptor, progress).run())


class _Sending:
    def __init__(self, args: argparse.Namespace, descriptor: int, progress: SendProgress) -> None:
        self._args = args
        self._descriptor = descriptor
        self._progress = progress
        self._refused = 0
        self._told = 0

    async def run(self) -> int:
        try:
            target, opening = await _queue(self._args)
            async with opening as changes:
                await self._send(changes)
        except SettingError as error:
            raise LocalError(str(error)) from error
        if self._args.json:
            counts = {"changes": changes.sent, "messages": changes.messages, "refusedLines": self._refused}
            print(json.dumps({"to": target, **counts}))
        else:
            print(
                f"sent {changes.sent:,} changes in {changes.messages:,} messages to {target}; "
                f"{self._refused:,} lines refused"
            )
        return REFUSED if self._refused else 0

    async def _send(self, changes: SendChanges) -> None:
        try:
            await self._send_lines(changes)
            await changes.finish()
        except StorageError as error:
            raise LocalError(f"{error}; {_state(changes)}") from error
        except asyncio.CancelledError:
            print(f"interrupted: {_state(changes)}", file=sys.stderr)
            raise

    async def _send_lines(self, changes: SendChanges) -> None:
        async for number, line in numbered_lines(self._descriptor):
            if line is None:
                await changes.flush()
                continue
            if line.strip() and number >= self._args.from_line:
                try:
                    await changes.add(line, number)
                except ChangeRefusedError as error:
                    self._refuse(number, line, error)
            self._progress.read(len(line) + 1)
            if changes.messages != self._told:
                self._told = changes.messages
                self._progress.sent(changes.sent, changes.messages)

    def _refuse(self, number: int, line: bytes, error: ChangeRefusedError) -> None:
        self._progress.problem(f"line {number}: {error}")
        if self._args.refused:
            _append(self._args.refused, line, anew=not self._refused)
        self._refused += 1


def _append(file: Path, line: bytes, *, anew: bool) -> None:
    try:
        with file.open("wb" if anew else "ab") as refused:
            refused.write(line + b"\n")
    except OSError as error:
        raise LocalError(f"{file} cannot be written: {error.strerror}") from error


def _state(changes: SendChanges) -> str:
    return (
        f"{changes.sent:,} changes were sent for certain: send again with --from-line {changes.unsure_from}, "
        "duplicates do no harm"
    )


async def _queue(args: argparse.Namespace) -> tuple[str, AbstractAsyncContextManager[SendChanges]]:
    """Where the changes go, and the way there."""
    options = {
        "batch_bytes": args.batch_bytes,
        "as_base64": args.base64,
        "rate": args.rate,
        "checked": not args.unchecked,
    }
    if args.queue_url:
        if args.queue or args.create_queue or "?" in args.queue_url:
            raise LocalError("--queue-url names an existing queue without a key: nothing else goes with it")
        return args.queue_url, open_queue(args.queue_url, **options)
    settings = StateDirectory(args.state_dir).settings()
    name = args.queue or settings.find(PROFILE_CHANGES_QUEUE) or CHANGES_QUEUE
    opening = open_queue_of_account(settings.storage, name, **options)
    await _require_queue(settings.storage, name, create=args.create_queue)
    return name, opening


async def _require_queue(connection_string: str, name: str, *, create: bool) -> None:
    """Better one clear error now than retries for each message."""
    client = QueueClient.from_connection_string(connection_string, name, **queue.PATIENT | {"retry_total": 0})
    async with client:
        try:
            if create:
                with suppress(ResourceExistsError):
                    await client.create_queue()
            await client.get_queue_properties()
        except ResourceNotFoundError as error:
            raise LocalError(
                f"there is no queue at {client.primary_endpoint}: check the name, or create it with --create-queue"
            ) from error
        except ServiceRequestError as error:
            raise LocalError(
                f"no storage answers at {client.primary_endpoint}: start the local stack with python -m local up"
            ) from error
