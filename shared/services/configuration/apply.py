"""Apply a declarative configuration file: plan it, and save the plan if nobody else changed anything meanwhile."""

from collections.abc import Callable
from contextlib import suppress

from shared.domain.configuration.model import Configuration, ConfigurationFile
from shared.domain.configuration.plan import Plan, plan_changes, require_named
from shared.domain.instants import MILLISECOND
from shared.errors import ConflictError, FailureCode
from shared.ports.configuration import ConfigurationStore
from shared.ports.health import DestinationTrouble, HealthStore
from shared.ports.time import Clock

REMOVED = "removed"
"""The error in the health row of a destination that lost its dataflow."""
_ATTEMPTS = 5


async def apply_configuration(
    store: ConfigurationStore,
    health: HealthStore,
    wanted: ConfigurationFile,
    clock: Clock,
    *,
    prune: bool = False,
    dry_run: bool = False,
) -> Plan:
    """Make the configuration what `wanted` says and return the plan that was carried out (or would be: `dry_run`).

    Raises as `change_configuration` does.
    """

    def checked(current: Configuration) -> ConfigurationFile:
        return require_named(current, wanted)

    return await change_configuration(store, health, checked, clock, prune=prune, dry_run=dry_run)


async def change_configuration(
    store: ConfigurationStore,
    health: HealthStore,
    wanted_of: Callable[[Configuration], ConfigurationFile],
    clock: Clock,
    *,
    prune: bool = False,
    dry_run: bool = False,
) -> Plan:
    """The same for what `wanted_of` makes of the configuration there is; it is asked again when that has changed.

    A destination that loses its dataflow gets a health row, by which `watch_destinations` finds it and drops what is
    undelivered there. Raises ConfigurationError for a file that cannot be applied, ConflictError when others keep
    changing the configuration, StorageError, and whatever `wanted_of` raises.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        stored = await store.load()
        wanted = wanted_of(stored.configuration)
        planned = plan_changes(stored.configuration, wanted, clock() // MILLISECOND, prune=prune)
        if dry_run or not planned.changes_something:
            return planned
        # Before the save: a row too many is cleared at the next look, one that a crash kept from being written would
        # leave rows that nobody ever looks at.
        for destination_id in sorted(_active(stored.configuration) - _active(planned.configuration)):
            await health.put(
                DestinationTrouble(
                    destination_id, recovering=True, since=clock(), error=REMOVED, code=FailureCode.REMOVED
                )
            )
        try:
            await store.save(planned.configuration, stored.etag)
        except ConflictError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return planned
    raise AssertionError("unreachable: the last attempt returns or raises")


async def alter_configuration(
    store: ConfigurationStore, altered: Callable[[Configuration], Configuration]
) -> Configuration:
    """Save what `altered` makes of the configuration, of what no plan knows; it is asked again when that has changed.

    Raises ConfigurationError, ConflictError when others keep changing the configuration, StorageError, and whatever
    `altered` raises.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(ConflictError):
            return await _altered(store, altered)
    return await _altered(store, altered)


async def _altered(store: ConfigurationStore, altered: Callable[[Configuration], Configuration]) -> Configuration:
    stored = await store.load()
    configuration = altered(stored.configuration)
    await store.save(configuration, stored.etag)
    return configuration


def _active(configuration: Configuration) -> set[str]:
    """The ids of the destinations that have a dataflow; a paused one is one, too."""
    destination_ids = {destination.id for destination in configuration.destinations}
    return {dataflow.id for dataflow in configuration.dataflows if dataflow.id in destination_ids}
