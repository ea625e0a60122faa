"""Reads exports back from Event Hubs, from every partition of several hubs at once."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self

from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext
from azure.eventhub.amqp import AmqpMessageBodyType
from azure.eventhub.exceptions import EventHubError

from local.cancelling import end
from local.errors import ExportsUnreadableError
from local.reader_refusals import tell_of_refusals, why_refused
from shared.adapters.event_hubs.connections import access_to, trusted_certificates
from shared.domain.configuration.credentials import parse_connection_string
from shared.domain.namespaces import is_local_namespace

Start = Literal["earliest", "latest"]
DEFAULT_CONSUMER_GROUP = "$Default"

_FROM_THE_BEGINNING = "-1"
_READ_AHEAD = 1_000
_NEVER = 86_400.0
_PATIENCE_ON_CLOSING = 2.0


@dataclass(frozen=True, kw_only=True)
class Export:
    """One event as it lies in a hub, whoever sent it.

    `body` is the decoded JSON, the text of what is no JSON, or None where there is none.
    """

    hub: str
    partition: str
    sequence_number: int
    offset: str
    enqueued_time: datetime
    content_type: str | None
    message_id: str | None
    partition_key: str | None
    properties: dict[str, Any]
    body: Any

    def to_json(self) -> dict[str, Any]:
        return {
            "hub": self.hub,
            "partition": self.partition,
            "sequenceNumber": self.sequence_number,
            "offset": self.offset,
            "enqueuedTime": self.enqueued_time.astimezone(UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "contentType": self.content_type,
            "messageId": self.message_id,
            "partitionKey": self.partition_key,
            "properties": self.properties,
            "body": self.body,
        }

    @classmethod
    def from_event(cls, hub: str, partition: str, event: EventData) -> Self:
        text = _text_of_body(event)
        try:
            body = None if text is None else json.loads(text)
        except (ValueError, RecursionError):
            body = text
        return cls(
            hub=hub,
            partition=partition,
            sequence_number=event.sequence_number or 0,
            offset=event.offset or "",
            enqueued_time=event.enqueued_time or datetime.fromtimestamp(0, UTC),
            content_type=event.content_type,
            message_id=event.message_id,
            partition_key=None if event.partition_key is None else _text(event.partition_key),
            properties={_text(name): _decoded(value) for name, value in (event.properties or {}).items()},
            body=body,
        )


class ExportReader:
    """An async context manager over the exports of `hubs`, in the order of each partition.

    Where "latest" is gets settled on entry: nothing that is sent afterwards is missed. The connection string is read as
    the app reads it; ValueError for what is none.
    """

    def __init__(
        self,
        connection_string: str,
        hubs: Iterable[str],
        *,
        start: Start = "earliest",
        consumer_group: str = DEFAULT_CONSUMER_GROUP,
    ) -> None:
        self._credentials = parse_connection_string(connection_string, local_allowed=True).credentials
        self._hubs = tuple(hubs)
        self._start = start
        self._consumer_group = consumer_group
        self._arrived: asyncio.Queue[Export | ExportsUnreadableError] = asyncio.Queue(_READ_AHEAD)
        self._clients: list[EventHubConsumerClient] = []
        self._partition_count = 0
        self._receiving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(self.add_hub(hub, start=self._start) for hub in self._hubs))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_connected(), _PATIENCE_ON_CLOSING)
        # The SDK takes a second for a client, and waits for answers also from a service that has gone.
        closing = [asyncio.create_task(client.close()) for client in self._clients]
        if closing:
            await asyncio.wait(closing, timeout=_PATIENCE_ON_CLOSING)
        await end(*closing, *self._receiving)

    async def _all_connected(self) -> None:
        """Closed while it connects, the SDK forgets that socket; and it tells nobody outside when it has connected."""
        while self._partition_count > sum(  # noqa: ASYNC110 - hence no event to wait for
            consumer.running
            for client in self._clients
            for processor in client._event_processors.values()
            for consumer in processor._consumers.values()
        ):
            await asyncio.sleep(0.02)

    async def add_hub(self, hub: str, *, start: Start = "earliest") -> None:
        """Read one more hub."""
        access = access_to(self._credentials, hub)
        client = EventHubConsumerClient(
            access.credentials.namespace,
            hub,
            self._consumer_group,
            access.credential,
            use_tls=not is_local_namespace(access.credentials.namespace),
            # There are no other readers to share partitions with, and each round opens one more connection.
            load_balancing_interval=_NEVER,
            ssl_context=trusted_certificates(),
        )
        self._clients.append(client)
        try:
            position = await _position(client, start)
        except EventHubError as error:
            raise self._unreadable(hub, error) from error

        async def take(context: PartitionContext, event: EventData | None) -> None:
            if event is not None:
                await self._arrived.put(Export.from_event(hub, context.partition_id, event))

        async def give_up(context: PartitionContext | None, error: Exception) -> None:
            await refused(error)

        async def refused(error: Exception) -> None:
            await self._arrived.put(self._unreadable(hub, error))

        tell_of_refusals(client, refused)
        self._partition_count += len(position)
        receiving = client.receive(take, on_error=give_up, starting_position=position)
        self._receiving.append(asyncio.create_task(receiving))

    def _unreadable(self, hub: str, error: Exception) -> ExportsUnreadableError:
        reason = str(error).partition("\n")[0]
        advice = why_refused(error, self._consumer_group)
        return ExportsUnreadableError(f"the exports of hub {hub!r} cannot be read ({reason}): {advice}")

    def fail(self, error: ExportsUnreadableError) -> None:
        """Let whoever waits for the next export get `error` instead."""
        while self._arrived.full():
            self._arrived.get_nowait()
        self._arrived.put_nowait(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Export:
        arrived = await self._arrived.get()
        if isinstance(arrived, ExportsUnreadableError):
            raise arrived
        return arrived


async def read_exports(
    connection_string: str,
    hubs: Iterable[str],
    *,
    start: Start = "earliest",
    count: int | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - a deadline for the whole series, not for one await
) -> AsyncIterator[Export]:
    """The exports of `hubs` as they arrive; ends after `count` of them or `timeout` seconds.

    Whoever leaves the loop early uses `ExportReader`, which closes its connections on time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    async with ExportReader(connection_string, hubs, start=start) as reader:
        seen = 0
        while count is None or seen < count:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                export = await asyncio.wait_for(anext(reader), remaining)
            except TimeoutError:
                return
            yield export
            seen += 1


async def _position(client: EventHubConsumerClient, start: Start) -> dict[str, str]:
    """The offset after which to read each partition."""
    partitions = await client.get_partition_ids()
    if start == "earliest":
        return dict.fromkeys(partitions, _FROM_THE_BEGINNING)
    states = await asyncio.gather(*(client.get_partition_properties(partition) for partition in partitions))
    return {
        state["id"]: _FROM_THE_BEGINNING if state["is_empty"] else str(state["last_enqueued_offset"])
        for state in states
    }


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _text_of_body(event: EventData) -> str | None:
    try:
        return event.body_as_str(encoding="UTF-8")
    except ValueError:
        return None
    except TypeError:  # which is how the SDK says that it is no UTF-8
        body: Any = event.body
        return _text(b"".join(body)) if event.body_type is AmqpMessageBodyType.DATA else repr(body)


def _decoded(value: object) -> object:
    match value:
        case bytes():
            return _text(value)
        case dict():
            return {str(_decoded(name)): _decoded(each) for name, each in value.items()}
        case list():
            return [_decoded(each) for each in value]
    return value
