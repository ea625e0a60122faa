"""Apply a declarative configuration file: plan it, and save the plan if nobody else changed anything meanwhile."""

from shared.domain.configuration import ConfigurationFile
from shared.domain.instants import MILLISECOND
from shared.domain.plan import Plan, plan
from shared.errors import ConflictError
from shared.services.ports import Clock, ConfigurationStore

_ATTEMPTS = 5


async def apply_configuration(
    store: ConfigurationStore, wanted: ConfigurationFile, clock: Clock, *, prune: bool = False, dry_run: bool = False
) -> Plan:
    """Make the configuration what `wanted` says and return the plan that was carried out (or would be: `dry_run`).

    Raises ConfigurationError for a file that cannot be applied, ConflictError when others keep changing it.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        stored = await store.load()
        planned = plan(stored.configuration, wanted, clock() // MILLISECOND, prune=prune)
        if dry_run or not planned.changes_something:
            return planned
        try:
            await store.save(planned.configuration, stored.etag)
        except ConflictError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return planned
    raise AssertionError("unreachable: the last attempt returns or raises")
