"""`python -m local send`: put profile changes on the queue."""

import argparse
import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Self

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError, ServiceRequestError
from azure.storage.queue import LinearRetry, QueueClient

from local import cli_types
from local.batches import MESSAGE_LIMIT, Batcher, LineRefusedError, Message
from local.errors import LocalError
from local.send_progress import SendProgress, progress_for
from local.stack import CHANGES_QUEUE
from local.state import PROFILE_CHANGES_QUEUE, StateDirectory

SUMMARY = "put profile changes on the queue"
DESCRIPTION = """\
Put profile changes on the queue, as an upstream system would. FILE has one change, a JSON object, a line; "-" reads
standard input, and sends what has come whenever the input pauses. Changes go in batches of as many as fit a queue
message. A line that cannot be sent is reported by its number and the rest is sent; the exit code is then 1.
"""
_IN_FLIGHT = 4
_PAUSE = 0.2
_BATCHES_PER_SECOND = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="newline-delimited JSON, or - for standard input")
    parser.add_argument("--queue", metavar="NAME", help=f"default: setting {PROFILE_CHANGES_QUEUE}, or {CHANGES_QUEUE}")
    parser.add_argument("--create-queue", action="store_true", help="create the queue if it is missing")
    parser.add_argument(
        "--batch-bytes",
        type=cli_types.message_bytes,
        default=49_152,
        metavar="N",
        help=f"JSON bytes a message at most (default %(default)s, up to {MESSAGE_LIMIT})",
    )
    parser.add_argument("--rate", type=cli_types.rate, metavar="N/s", help="send at most N changes a second")
    parser.add_argument("--base64", action="store_true", help="encode messages, as older Azure SDKs do")


def run(args: argparse.Namespace) -> int:
    settings = StateDirectory(args.state_dir).settings()
    queue_name = args.queue or settings.find(PROFILE_CHANGES_QUEUE) or CHANGES_QUEUE
    most = None if args.rate is None else max(1, int(args.rate / _BATCHES_PER_SECOND))
    batcher = Batcher(batch_bytes=args.batch_bytes, as_base64=args.base64, most_changes=most)
    with (
        _opened(args.file) as descriptor,
        progress_for(descriptor) as progress,
        _queue(settings.storage, queue_name, create=args.create_queue) as queue,
        _Sender(queue, progress, args.rate) as sender,
    ):
        try:
            refused = _send_lines(descriptor, batcher, sender, progress)
            sender.finish()
        except KeyboardInterrupt:
            print(f"interrupted: {sender.sent:,} changes were sent", file=sys.stderr)
            return 130
    print(f"sent {sender.sent:,} changes in {sender.messages:,} messages to {queue_name}; {refused:,} lines refused")
    return 1 if refused else 0


def _send_lines(descriptor: int, batcher: Batcher, sender: "_Sender", progress: SendProgress) -> int:
    """Batch and send every line; returns how many were refused."""
    refused = 0
    for number, line in _numbered_lines(descriptor):
        message = None
        if line is None:
            message = batcher.flush()
        elif line.strip():
            try:
                message = batcher.add(number, line)
            except LineRefusedError as error:
                refused += 1
                progress.problem(f"line {number}: {error}")
        if line is not None:
            progress.read(len(line) + 1)
        if message:
            sender.send(message)
    if rest := batcher.flush():
        sender.send(rest)
    return refused


def _numbered_lines(descriptor: int) -> Iterator[tuple[int, bytes | None]]:
    """The lines as they come; None in between, when nothing has come for a while."""
    number = 0
    pieces: list[bytes] = []
    while True:
        if not select.select([descriptor], [], [], _PAUSE)[0]:
            yield number, None
            continue
        chunk = os.read(descriptor, 1 << 16)
        pieces.append(chunk)
        if b"\n" in chunk or not chunk:
            *lines, last = b"".join(pieces).split(b"\n")
            if not chunk and last:
                lines.append(last)
            pieces = [last]
            for line in lines:
                number += 1
                yield number, line
        if not chunk:
            return


@contextlib.contextmanager
def _opened(file: str) -> Iterator[int]:
    if file == "-":
        yield sys.stdin.fileno()
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115 - closed below; only the opening may fail here
    except OSError as error:
        raise LocalError(f"{file} cannot be read: {error.strerror}") from error
    with opened:
        yield opened.fileno()


@contextlib.contextmanager
def _queue(connection_string: str, name: str, *, create: bool) -> Iterator[QueueClient]:
    """A client of a queue that is known to be there: better one clear error now than retries for each message."""
    retries = LinearRetry(backoff=1, retry_total=4, random_jitter_range=1)
    try:
        client = QueueClient.from_connection_string(
            connection_string, name, retry_policy=retries, use_env_settings=False, connection_timeout=5
        )
    except ValueError as error:
        raise LocalError(f"queue {name!r} of the storage connection string: {error}") from error
    with client:
        try:
            if create:
                with contextlib.suppress(ResourceExistsError):
                    client.create_queue(retry_total=0)
            client.get_queue_properties(retry_total=0)
        except ResourceNotFoundError as error:
            raise LocalError(
                f"there is no queue at {client.primary_endpoint}: check the name, or create it with --create-queue"
            ) from error
        except ServiceRequestError as error:
            raise LocalError(
                f"no storage answers at {client.primary_endpoint}: start the local stack with python -m local up"
            ) from error
        yield client


class _Sender:
    """Keeps a few messages on their way at once, and to the rate."""

    def __init__(self, queue: QueueClient, progress: SendProgress, rate: float | None) -> None:
        self.sent = 0
        self.messages = 0
        self._queue = queue
        self._progress = progress
        self._rate = rate
        self._began = time.monotonic()
        self._begun_changes = 0
        self._pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="send")
        self._on_their_way: dict[Future[object], Message] = {}

    def send(self, message: Message) -> None:
        """Waits for its turn; raises `LocalError` when an earlier message could not be sent."""
        if self._rate is not None:
            due = self._began + self._begun_changes / self._rate
            time.sleep(max(0.0, due - time.monotonic()))
        while len(self._on_their_way) >= _IN_FLIGHT:
            self._collect()
        self._begun_changes += message.changes
        self._on_their_way[self._pool.submit(self._queue.send_message, message.text)] = message

    def finish(self) -> None:
        """Wait until everything has arrived."""
        while self._on_their_way:
            self._collect()

    def _collect(self) -> None:
        for done in wait(self._on_their_way, return_when=FIRST_COMPLETED).done:
            message = self._on_their_way.pop(done)
            error = done.exception()
            if isinstance(error, AzureError):
                first = min(unsure.first_line for unsure in (message, *self._on_their_way.values()))
                raise LocalError(
                    f"the queue does not take messages any more ({error.message}); {self.sent:,} changes were sent "
                    f"for certain: send again from line {first}, duplicates do no harm"
                ) from error
            if error is not None:
                raise error
            self.sent += message.changes
            self.messages += 1
            self._progress.sent(self.sent, self.messages)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._pool.shutdown()
