"""What people do with destinations and their dataflows.

Each use case takes what was given and a check that nobody was faster, and says what came of it. A `summary` is for the
audit log: ids and counts, nothing of any profile and no key.
"""

from dataclasses import dataclass

from shared.domain.configuration.given_connection import GivenConnection, NewDestination, NewKey
from shared.domain.configuration.model import Configuration, ConfigurationFile, Dataflow, Destination
from shared.domain.configuration.plan import Plan
from shared.errors import ConfigurationError, SecretError, TakenError
from shared.services.configuration.edit import Check, EditConfiguration, as_file, unchecked
from shared.services.destinations.connect import ConnectDestinations, Connected, ConnectionReport

_CONNECTED_ELSEWHERE = ("connection", "authentication")
"""Members that are verified when they are set, so they are not changed with the details."""


@dataclass(frozen=True, slots=True)
class ConnectedDestination:
    """`report` may tell of a problem where it was forced."""

    id: str
    plan: Plan
    report: ConnectionReport

    @property
    def summary(self) -> list[str]:
        forced = [] if self.report.problem is None else [f"forced in spite of {self.report.problem.kind}"]
        return self.plan.summary + forced


@dataclass(frozen=True, slots=True)
class RemovedDestination:
    """`key_left`: it had a key of its own, which could not be deleted."""

    summary: list[str]
    key_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageDestinations:
    """All raise ConflictError when others keep changing the configuration, StorageError, and what their check does;
    all but `connect` and `map` raise NotConfiguredError.
    """

    configuration: EditConfiguration
    hubs: ConnectDestinations

    async def connect(self, given: NewDestination, *, force: bool = False) -> ConnectedDestination:
        """Add a destination once its connection was checked and its key is kept. It has no dataflow yet.

        Raises TakenError, and as `ConnectDestinations.connect` does; of a connection that fails nothing is kept.
        """
        if any(each.id == given.id for each in (await self.configuration.load()).destinations):
            raise TakenError(given.id)
        connected = await self.hubs.connect(given.id, given.connection, given.event_hub_name, force=force)

        def added(before: Destination | None) -> Destination:
            if before is not None:
                raise TakenError(given.id)
            details = given.model_dump(exclude={"connection", "event_hub_name"})
            return Destination(**details | connected.members)

        plan = await self.configuration.put(Destination, (given.id,), added)
        return ConnectedDestination(given.id, plan, connected.report)

    async def reconnect(
        self, destination_id: str, given: GivenConnection, check: Check = unchecked, *, force: bool = False
    ) -> ConnectedDestination:
        """Connect it to the same hub in another way, which is checked first. Raises as `hubs.connect` does."""
        current = await self._seen(destination_id, check)
        connected = await self.hubs.connect(destination_id, given, current.event_hub_name, force=force)
        return await self._reconnected(destination_id, connected, check)

    async def rotate(
        self, destination_id: str, given: NewKey, check: Check = unchecked, *, force: bool = False
    ) -> ConnectedDestination:
        """Go over to another key, which is checked and kept first. Raises as `hubs.rotate` does."""
        connected = await self.hubs.rotate(await self._seen(destination_id, check), given, force=force)
        return await self._reconnected(destination_id, connected, check)

    async def _seen(self, destination_id: str, check: Check) -> Destination:
        current = (await self.configuration.load()).destination(destination_id)
        check(current)
        return current

    async def _reconnected(self, destination_id: str, connected: Connected, check: Check) -> ConnectedDestination:
        plan = await self.configuration.change(
            Destination, (destination_id,), lambda before: before.model_copy(update=connected.members), check
        )
        return ConnectedDestination(destination_id, plan, connected.report)

    async def change_details(self, destination_id: str, wanted: Destination, check: Check = unchecked) -> Plan:
        """Name, description, event hub and what exports hold. How it is connected may be repeated in `wanted`.

        Raises ConfigurationError where it would change.
        """

        def changed(before: Destination) -> Destination:
            for name in _CONNECTED_ELSEWHERE:
                if name in wanted.model_fields_set and getattr(wanted, name) != getattr(before, name):
                    raise ConfigurationError(
                        f"/{name}: expected it as it is: PUT /api/destinations/{destination_id}/connection changes it"
                    )
            kept = {"id": destination_id} | {name: getattr(before, name) for name in _CONNECTED_ELSEWHERE}
            return Destination(**wanted.model_dump(include=set(Destination.model_fields) - kept.keys()) | kept)

        return await self.configuration.change(Destination, (destination_id,), changed, check)

    async def remove(self, destination_id: str, check: Check = unchecked) -> RemovedDestination:
        """With its dataflow, and its key, if it has one of its own; what waits for it is dropped."""
        removed = await self._seen(destination_id, check)

        def edit(configuration: Configuration) -> ConfigurationFile:
            nonlocal removed
            removed = configuration.destination(destination_id)
            check(removed)
            return _without(configuration, destination_id, "destinations", "dataflows")

        plan = await self.configuration.apply(edit)
        try:
            deleted = await self.hubs.forget(removed, plan.configuration.destinations)
        except SecretError as error:  # the destination is removed all the same
            return RemovedDestination([*plan.summary, f"its key is left: {error}"], key_left=True)
        return RemovedDestination(plan.summary + [f"key of destination {destination_id} deleted"] * deleted)

    async def map(self, wanted: Dataflow, check: Check = unchecked) -> Plan:
        """Create or replace the dataflow of a destination; members of newly mapped audiences are backfilled.

        Raises ConfigurationError, also where there is no such destination.
        """
        return await self.configuration.put(Dataflow, (wanted.id,), lambda _: wanted, check)

    async def unmap(self, destination_id: str, check: Check = unchecked) -> Plan:
        """Remove its dataflow: it stays connected, and what waits for it is dropped."""

        def edit(configuration: Configuration) -> ConfigurationFile:
            check(configuration.dataflow(destination_id))
            return _without(configuration, destination_id, "dataflows")

        return await self.configuration.apply(edit)

    async def pause(self, destination_id: str, check: Check = unchecked) -> Plan:
        """Nothing is exported to it until it is resumed, nor lost."""
        return await self._set_enabled(destination_id, check, enabled=False)

    async def resume(self, destination_id: str, check: Check = unchecked) -> Plan:
        """Each profile that changed meanwhile is exported once, by a backfill."""
        return await self._set_enabled(destination_id, check, enabled=True)

    async def _set_enabled(self, destination_id: str, check: Check, *, enabled: bool) -> Plan:
        return await self.configuration.change(
            Dataflow, (destination_id,), lambda before: before.model_copy(update={"enabled": enabled}), check
        )


def _without(configuration: Configuration, entry_id: str, *sections: str) -> ConfigurationFile:
    left = {name: [each for each in getattr(configuration, name) if each.id != entry_id] for name in sections}
    return as_file(configuration).model_copy(update=left)
