"""Answers what is known of a profile, what was exported of it, and what a change of it would export and why; nothing is
saved or sent.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from shared.concurrency import all_of
from shared.domain.configuration.model import Configuration
from shared.domain.configuration.targets import Targets
from shared.domain.exports.dry_run import DryRun, DryRunVerdict, Surroundings, dry_run, standing, verdict_on
from shared.domain.exports.told import ToldExport, told_exports
from shared.domain.exports.undelivered import Undelivered
from shared.domain.messages.message import refuse_lone_surrogates
from shared.domain.profile.change import InvalidChangeError, parse_change
from shared.domain.profile.state import ProfileState
from shared.errors import ProfileTooLargeError
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.quarantine import Quarantine, QuarantinedEntry
from shared.ports.time import Clock
from shared.ports.undelivered import UndeliveredStore
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot
from shared.services.delivery.deliver import Delivery

QUARANTINED = 50
"""Of a profile's items in quarantine so many are shown."""


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """`key` is the hash of the profile's id. Of a tombstone there is nothing but its version and deletion.

    `told`: what destinations were told of it, the latest first. `undelivered` is by destination, `quarantined` has the
    newest first, QUARANTINED at most; where every change of the profile is in there, the state is empty.
    """

    key: str
    state: ProfileState
    told: Sequence[ToldExport]
    undelivered: Sequence[Undelivered]
    quarantined: Sequence[QuarantinedEntry]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`profile` is None where nothing is known of it."""

    profile: KnownProfile | None
    foreseen: DryRun


@dataclass(frozen=True, slots=True)
class _Read:
    profile: StoredProfile
    snapshot: ConfigurationSnapshot
    rows: Mapping[str, Undelivered]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainProfile:
    profiles: ProfileStore
    undelivered: UndeliveredStore
    quarantine: Quarantine
    configuration: ConfigurationCache
    delivery: Delivery
    clock: Clock

    async def look_up(self, profile_id: str) -> KnownProfile | None:
        """All that is remembered of the profile; None if nothing is. Raises StorageError.

        Reads one row, one for each destination, and looks through the quarantine.
        """
        return await self._known(await self._read(profile_id))

    async def dry_run(self, change: object | None, profile_id: str) -> DryRun:
        """What `change`, an item as in a message, would export now, and why or why not, for every destination.

        The change may leave out its profileId. Without a change: what each destination would hear if it were told
        again. Raises StorageError.
        """
        return self._foresee(change, await self._read(profile_id))

    async def explain(self, change: object | None, profile_id: str) -> Explanation:
        """Both, of one moment. Raises StorageError."""
        read = await self._read(profile_id)
        known = await self._known(replace(read, profile=deepcopy(read.profile)))
        return Explanation(known, self._foresee(change, read))

    async def _known(self, read: _Read) -> KnownProfile | None:
        key, state = read.profile.key, read.profile.state
        quarantined = await self.quarantine.of_profile(key, QUARANTINED)
        if read.profile.etag is None and not read.rows and not quarantined:
            return None
        rows = [read.rows[destination_id] for destination_id in sorted(read.rows)]
        return KnownProfile(key, state, told_exports(state, read.rows), rows, quarantined)

    def _foresee(self, change: object | None, read: _Read) -> DryRun:
        """Leaves the profile as the change would leave it."""
        profile, snapshot = read.profile, read.snapshot
        profile_id, version = profile.state.profile_id, profile.state.version
        now = self.clock()
        around = Surroundings(
            snapshot.targets, lambda destination_id: self.delivery.held_back(destination_id, snapshot), read.rows, now
        )
        if change is None:
            return standing(profile.state, around)
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

    async def _read(self, profile_id: str) -> _Read:
        """The profile, and what destinations have not heard of it."""
        profile = await self.profiles.load(profile_id)
        snapshot = await self.configuration.current()
        destinations = [*snapshot.targets.by_id, *snapshot.targets.inactive]
        found = await all_of(self.undelivered.load(each, profile.key) for each in destinations)
        rows = {stored.row.destination_id: stored.row for stored in found if stored is not None}
        return _Read(profile, snapshot, rows)


def _of_profile(change: object, profile_id: str) -> object:
    """`change` with the id of the profile, if it is one that could have it. Raises InvalidChangeError."""
    refuse_lone_surrogates(change)
    if not isinstance(change, dict):
        return change
    named = change.get("profileId", profile_id)
    if isinstance(named, str) and named != profile_id:
        raise InvalidChangeError(["/profileId: expected the profile that is asked about, or no such field"])
    return {"profileId": profile_id, **change}
