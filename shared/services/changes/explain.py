"""Answers what is known of a profile, and what a change of it would export and why; nothing is saved or sent."""

from dataclasses import dataclass

from shared.concurrency import all_of
from shared.domain.configuration.model import Configuration
from shared.domain.configuration.targets import Targets
from shared.domain.exports.dry_run import DryRun, DryRunVerdict, Surroundings, dry_run, standing, verdict_on
from shared.domain.exports.undelivered import Undelivered
from shared.domain.messages.message import refuse_lone_surrogates
from shared.domain.profile.change import InvalidChangeError, parse_change
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from shared.errors import ProfileTooLargeError
from shared.ports.profiles import ProfileStore
from shared.ports.time import Clock
from shared.ports.undelivered import UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.deliver import Delivery


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """`key` is the hash of the profile's id. Of a tombstone there is nothing but its version and deletion."""

    key: str
    state: ProfileState
    undelivered: list[Undelivered]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainProfile:
    profiles: ProfileStore
    undelivered: UndeliveredStore
    configuration: ConfigurationCache
    delivery: Delivery
    clock: Clock

    async def look_up(self, profile_id: str) -> KnownProfile | None:
        """All that is remembered of the profile; None if nothing is. Reads one row, and one for each destination.

        Raises StorageError.
        """
        profile = await self.profiles.load(profile_id)
        rows = await self._rows(profile_id, await self.configuration.current())
        if profile.etag is None and not rows:
            return None
        return KnownProfile(profile.key, profile.state, [rows[destination_id] for destination_id in sorted(rows)])

    async def dry_run(self, change: object | None, profile_id: str) -> DryRun:
        """What `change`, an item as in a message, would export now, and why or why not, for every destination.

        The change may leave out its profileId. Without a change: what each destination would hear if it were told
        again. Raises StorageError.
        """
        profile = await self.profiles.load(profile_id)
        snapshot = await self.configuration.current()
        rows = await self._rows(profile_id, snapshot)
        now = self.clock()
        around = Surroundings(
            snapshot.targets, lambda destination_id: self.delivery.held_back(destination_id, snapshot), rows, now
        )
        if change is None:
            return standing(profile.state, around)
        version = profile.state.version
        try:
            parsed = parse_change(_of_profile(change, profile_id), now)
        except InvalidChangeError as error:
            return DryRun(profile_id, now, version, problems=error.problems)
        foreseen = dry_run(profile.state, parsed, around)
        profile.state.forget_outdated(now)
        try:
            self.profiles.require_room(profile)
        except ProfileTooLargeError as error:
            return DryRun(profile_id, now, version, problems=[str(error)])
        return foreseen

    async def preview(self, profile_id: str, destination_id: str, configuration: Configuration) -> DryRunVerdict:
        """What the destination would hear of the profile as it is, were the configuration this one.

        The destination must have a dataflow in it. Raises StorageError.
        """
        profile = await self.profiles.load(profile_id)
        return verdict_on(profile.state, Targets.of(configuration), destination_id, self.clock())

    async def _rows(self, profile_id: str, snapshot: ConfigurationSnapshot) -> dict[str, Undelivered]:
        """What destinations have not heard of the profile, by their ids."""
        key = profile_key(profile_id)
        destinations = [*snapshot.targets.by_id, *snapshot.targets.inactive]
        found = await all_of(self.undelivered.load(each, key) for each in destinations)
        return {stored.row.destination_id: stored.row for stored in found if stored is not None}


def _of_profile(change: object, profile_id: str) -> object:
    """`change` with the id of the profile, if it is one that could have it. Raises InvalidChangeError."""
    refuse_lone_surrogates(change)
    if not isinstance(change, dict):
        return change
    named = change.get("profileId", profile_id)
    if isinstance(named, str) and named != profile_id:
        raise InvalidChangeError(["/profileId: expected the profile that is asked about, or no such field"])
    return {"profileId": profile_id, **change}
