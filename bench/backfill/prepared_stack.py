"""Local stacks with people in their tables, and nobody but the measurement who does anything there."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.backfill.bare import HUB as BARE_HUB
from bench.backfill.people import configuration
from bench.backfill.seeding import Population, seed
from local.apply import apply
from local.stack import LocalStack
from shared.bootstrap import build
from shared.domain.configuration import parse_configuration_file
from shared.domain.memberships import AudienceKey

HUB = "crm"
PARTITIONS = 4


@dataclass(frozen=True, kw_only=True)
class People:
    """See `Population`."""

    members: int
    outsiders: int = 0
    listed_in: frozenset[AudienceKey] | None = None


@contextmanager
def prepared_stacks(directory: Path, people: Mapping[str, People]) -> Iterator[dict[str, LocalStack]]:
    """A stack for each name, with these people. The app's configuration is there, and no backfill that it asked for."""
    with ExitStack() as running:
        stacks = {name: LocalStack(directory / name, hubs={HUB: PARTITIONS, BARE_HUB: PARTITIONS}) for name in people}
        for stack in stacks.values():
            running.callback(stack.stop)
        with ThreadPoolExecutor() as starting:
            list(starting.map(_start, stacks.values()))
        seed(
            [
                Population(stacks[name].storage_connection_string, each.members, each.outsiders, each.listed_in)
                for name, each in people.items()
            ]
        )
        yield stacks


def _start(stack: LocalStack) -> None:
    stack.start()
    asyncio.run(configure(stack, configuration(HUB)))


async def configure(stack: LocalStack, document: dict[str, Any]) -> None:
    """Apply `document`, and forget the backfill that a new dataflow calls for: whoever wants one asks for it."""
    relay = await build(stack.settings)
    try:
        await apply(stack.storage_connection_string, parse_configuration_file(document))
        stored = await relay.configuration.load()
        without = stored.configuration.model_copy(update={"requested_backfills": []})
        await relay.configuration.save(without, stored.etag)
    finally:
        await relay.close()
