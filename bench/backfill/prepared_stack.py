"""Local stacks with people in their tables, and nobody but the measurement who does anything there."""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness.configured import PARTITIONS, configure
from bench.harness.people import configuration
from bench.harness.seeding import Population, seed
from local.stack.local_stack import LocalStack
from shared.domain.profile.memberships import AudienceKey

HUB = "crm"


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
        stacks = {name: LocalStack(directory / name, hubs={HUB: PARTITIONS}) for name in people}
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
