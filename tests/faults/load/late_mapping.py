"""Audiences are mapped and a dataflow is resumed while changes come in; hosts may die while that is backfilled."""

import asyncio

from local.commands.apply import apply
from shared.domain.configuration.model import parse_configuration_file
from tests.faults.load.configuration import DESTINATIONS, before_mapping, configuration
from tests.faults.load.disturbances import Disturbances

KILLS = 10
_PAUSED_AT = 0.1
_MAPPED_AT = 0.3
_SENT_MEANWHILE = 0.35
_POLL_SECONDS = 0.2


async def map_late(disturbances: Disturbances) -> None:
    """Five backfills' worth of members: pause one dataflow, map the others' audiences, resume it.

    Half of the load is sent after the backfills have begun.
    """
    storage, progress = disturbances.writes.storage, disturbances.progress
    account = disturbances.stack.storage_connection_string
    await progress.reached(_PAUSED_AT)
    await apply(account, parse_configuration_file(before_mapping(paused=True)))
    await progress.reached(_MAPPED_AT)
    progress.hold("mapping", _SENT_MEANWHILE)
    await apply(account, parse_configuration_file(configuration()))
    while await storage.running_backfills() < len(DESTINATIONS):  # noqa: ASYNC110 - another process starts them
        await asyncio.sleep(_POLL_SECONDS)
    progress.release("mapping")


async def map_late_and_kill(disturbances: Disturbances) -> None:
    """The same, and the hosts die at random moments of the backfills."""
    await map_late(disturbances)
    storage = disturbances.writes.storage
    for number in range(KILLS):
        await asyncio.sleep(disturbances.rng.uniform(0.2, 3.0))
        if not await storage.running_backfills():
            disturbances.missed.append(f"the backfills ended after {number} of {KILLS} kills: send more changes")
            return
        await disturbances.kill(disturbances.rng.choice(disturbances.stack.functions_hosts))
