"""An example consumer of exports: keeps the latest export of each profile, whatever order and however often they come.

    python samples/consumer.py --hub crm --connection-string "$EVENTHUBS" --timeout 10
    python samples/consumer.py --hub crm --namespace YOUR-NAMESPACE.servicebus.windows.net

It needs azure-eventhub, and azure-identity and aiohttp for --namespace. It reads every partition from the beginning at
each start and keeps its table in memory, so it stores no checkpoints. It asks for no owner level, so it puts nobody out
who reads in the same consumer group; but it counts as one of the five readers there, and a processor there puts it out.
Beside other readers, give it a group of its own. In production, keep the table in a database, with version and message
id in each row, and give the client a checkpoint store:

    from azure.eventhub.extensions.checkpointstoreblobaio import BlobCheckpointStore
    store = BlobCheckpointStore.from_connection_string(STORAGE, container_name="checkpoints")
    EventHubConsumerClient.from_connection_string(..., checkpoint_store=store)

and call `await context.update_checkpoint(event)` after the table was saved, every hundred events or so. What came after
the last checkpoint comes again after a restart; `Table.take` drops it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

from azure.core.exceptions import AzureError
from azure.eventhub import EventData
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext
from azure.eventhub.exceptions import EventHubError

FROM_THE_BEGINNING = "-1"
WORD_EVERY = 2.0
SILENT_AFTER = 30.0
"""In seconds. A partition that was let in gives word also where it has no events; but so does one that is out again."""
HEEDED_WITHIN = 5.0
"""In seconds: the SDK takes up to three to close what it reads."""
PROPERTIES = ("destinationId", "profileId", "profileVersion", "configRevision", "reason")
TRANSITIONS = ("entered", "left", "transitionIds")


@dataclass(frozen=True)
class Row:
    """What is known of a profile. `body` is the export as it was received."""

    version: tuple[int, int]
    message_id: str
    live: bool
    body: dict[str, Any]


class Table:
    """The latest export of each profile. `audiences` are the ids that the dataflow maps; empty means all of them."""

    def __init__(self, audiences: Collection[str] = ()) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.counts: Counter[str] = Counter()
        self.heard_of: set[str] = set()
        self.read_up_to: dict[str, int] = {}
        self._acted_on: set[str] = set()
        self._audiences = audiences

    def take(self, message_id: str, properties: dict[str, Any], body: dict[str, Any]) -> str | None:
        """What the export changed: `new`, `changed`, `gone` or `back`; None if it was a duplicate or an older one."""
        # A hub may be shared by several destinations, each with its own view of the profile.
        key = (str(properties["destinationId"]), str(properties["profileId"]))
        row = Row(
            version=(int(properties["profileVersion"]), int(properties["configRevision"])),
            message_id=message_id,
            live=self._is_live(body),
            body=body,
        )
        known = self.rows.get(key)
        if known is not None and known.message_id == row.message_id:
            self.counts["duplicates"] += 1
            return None
        if known is not None and known.version >= row.version:
            self.counts["older"] += 1
            return None
        # The row of a profile that is gone stays: without its version, a late export would bring the profile back.
        self.rows[key] = row
        if not row.live:
            return "gone" if known is None or known.live else "changed"
        if known is None:
            return "new"
        return "changed" if known.live else "back"

    def transitions(self, properties: dict[str, Any]) -> list[str]:
        """Who entered and who left, as the export tells: each once, however often it is told.

        Also by exports that `take` drops: an older one may tell of what no other does.
        """
        told = []
        entered, left = (filter(None, str(properties.get(name) or "").split(",")) for name in ("entered", "left"))
        for transition in filter(None, str(properties.get("transitionIds") or "").split(",")):
            way, audiences = ("entered", entered) if transition.startswith("entered-") else ("left", left)
            audience = next(audiences)
            if transition not in self._acted_on:
                self._acted_on.add(transition)
                told.append(f"{way} {audience}")
        return told

    def _is_live(self, body: dict[str, Any]) -> bool:
        """Whether the profile is in an audience. An export of a profile that left its last one is no member's."""
        return any(
            membership["status"] != "exited"
            for memberships in body["segmentMembership"].values()
            for audience_id, membership in memberships.items()
            if not self._audiences or audience_id in self._audiences
        )

    def summary(self) -> str:
        live = sum(row.live for row in self.rows.values())
        return (
            f"{self.counts['events']} events: {live} profiles live, {len(self.rows) - live} gone; dropped "
            f"{self.counts['duplicates']} duplicates, {self.counts['older']} older, {self.counts['unknown']} unknown"
        )

    async def on_event(self, context: PartitionContext, event: EventData | None) -> None:
        self.heard_of.add(context.partition_id)
        if event is None:
            return
        self.read_up_to[context.partition_id] = event.sequence_number or 0
        self.counts["events"] += 1
        try:
            properties = _properties_of(event)
            body = json.loads(event.body_as_str())
            transitions = self.transitions(properties)
            change = self.take(str(event.message_id), properties, body)
        except NOT_AN_EXPORT:
            # Whoever raises here reads the same event again, for ever.
            self.counts["unknown"] += 1
            return
        name = f"{properties['destinationId']} {properties['profileId']!r}"
        for transition in transitions:
            print(_printable(f"        {name} {transition}"), flush=True)
        if change is not None:
            version = f"version {properties['profileVersion']}, revision {properties['configRevision']}"
            print(_printable(f"{change:<8}{name} ({version}): {properties['reason']}"), flush=True)


NOT_AN_EXPORT = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError),
    StopIteration,
)
"""What comes of taking something else for one. Others may send to the hub, too, and send what they like."""


def _properties_of(event: EventData) -> dict[str, Any]:
    """Those of an export. There may be others, of any type."""
    given = {_text(name): value for name, value in (event.properties or {}).items()}
    return {name: _text(given[name]) for name in PROPERTIES} | {
        name: _text(given[name]) for name in TRANSITIONS if name in given
    }


def _text(value: object) -> Any:
    """The SDK gives names and texts as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _printable(text: str) -> str:
    """Without what could drive a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


async def on_error(context: PartitionContext | None, error: Exception) -> None:
    """The SDK reads on by itself."""
    print(f"partition {context.partition_id if context else '*'}: {error}", file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def connected(args: argparse.Namespace) -> AsyncIterator[EventHubConsumerClient]:
    if args.namespace:
        from azure.identity.aio import DefaultAzureCredential

        async with (
            DefaultAzureCredential() as credential,
            EventHubConsumerClient(args.namespace, args.hub, args.consumer_group, credential) as client,
        ):
            yield client
    else:
        async with EventHubConsumerClient.from_connection_string(
            args.connection_string, args.consumer_group, eventhub_name=args.hub
        ) as client:
            yield client


async def tell_of_silence(
    client: EventHubConsumerClient, table: Table, partitions: Collection[str], consumer_group: str
) -> None:
    """Of a partition that lets no reader in (any more), the SDK says nothing: it tries again for ever.

    A program that something watches over would end here instead, or fail its health check.
    """
    told, before = "", Look({}, {})
    while True:
        await asyncio.sleep(SILENT_AFTER)
        try:
            look = await Look.at(client, table, partitions)
        except (EventHubError, AzureError) as error:
            word = f"the hub cannot be asked any more, so hardly be read: {error}".replace("\n", " ")
        else:
            silent = [each for each in partitions if each not in table.heard_of or look.stands_still(before, each)]
            before = look
            word = (
                f"no word of partitions {', '.join(silent)}: may this reader still sign in, is there a consumer group "
                f"{consumer_group!r}, and has it fewer than five other readers?"
                if silent
                else ""
            )
        if word != told:
            print(word or "word of every partition again", file=sys.stderr, flush=True)
        told = word


@dataclass(frozen=True)
class Look:
    """By partition, the number of its last event, and of the last one that was read."""

    ends: dict[str, int]
    read: dict[str, int]

    @classmethod
    async def at(cls, client: EventHubConsumerClient, table: Table, partitions: Collection[str]) -> "Look":
        """Asks the service, which a reader that is out cannot. Raises EventHubError."""
        known = [await client.get_partition_properties(each) for each in partitions]
        ends = {
            each: known_of["last_enqueued_sequence_number"] for each, known_of in zip(partitions, known, strict=True)
        }
        return cls(ends, dict(table.read_up_to))

    def stands_still(self, before: "Look", partition: str) -> bool:
        """Whether nothing was read since, though there was something to read by then."""
        read = self.read.get(partition, -1)
        return read == before.read.get(partition, -1) and read < before.ends.get(partition, -1)


async def consume(args: argparse.Namespace, table: Table) -> None:
    async with connected(args) as client:
        # Asked first, a hub that is not there or a wrong key ends the program; reading would try again for ever.
        partitions = await client.get_partition_ids()
        print(f"reading {args.hub}, {len(partitions)} partitions", file=sys.stderr, flush=True)
        listening = asyncio.create_task(tell_of_silence(client, table, partitions, args.consumer_group))
        reading = asyncio.create_task(
            client.receive(
                table.on_event, on_error=on_error, starting_position=FROM_THE_BEGINNING, max_wait_time=WORD_EVERY
            )
        )
        try:
            await asyncio.wait({reading, listening}, timeout=args.timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(listening)
            await end(reading)


async def end(task: "asyncio.Task[None]") -> None:
    """Cancels it until it heeds: under Python 3.11 the SDK misses the one that comes together with an answer."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=HEEDED_WITHIN)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> int:
    parser = argparse.ArgumentParser(description="Keep the latest export of each profile, and print what changes.")
    parser.add_argument("--connection-string", default=os.environ.get("EVENTHUBS"), help="default: EVENTHUBS")
    parser.add_argument("--namespace", help="instead: NAME.servicebus.windows.net, with DefaultAzureCredential")
    parser.add_argument("--hub", required=True)
    parser.add_argument("--consumer-group", default="$Default", help="default: $Default; better one of its own")
    parser.add_argument("--audience", action="append", default=[], help="an id that the dataflow maps; repeatable")
    parser.add_argument("--timeout", type=float, metavar="S", help="end after S seconds; without it, at Ctrl-C")
    args = parser.parse_args()
    if not args.connection_string and not args.namespace:
        parser.error("expected --connection-string, --namespace or the environment variable EVENTHUBS")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than profiles have
    table = Table(frozenset(args.audience))
    try:
        asyncio.run(consume(args, table))
    except KeyboardInterrupt:
        pass
    except (EventHubError, AzureError, ValueError) as error:
        print(f"hub {args.hub} cannot be read: {error}", file=sys.stderr)
        return 1
    print(table.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
