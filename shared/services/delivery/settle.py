"""Sees to it that the last event of a profile in its partition is the greatest version, once changes have ceased.

Workers send side by side, so an event may reach the hub behind one of a greater version, sent by another worker. Who
keeps the greatest version never notices; who keeps what came last is wrong until the next change. So where order may
have turned, a destination with `settle` is sent the profile once more in a while, unless a later change calls for an
export by then.

Where it may have turned, one of two workers knows:

- A change is announced by its save: what it calls for is due from then on, for whoever reads the row. Who decides on
  the profile within `MAY_BE_UNDER_WAY` of that does not know whether its event has come already.
- Who sends what no save announces, or is acknowledged later than `SENT_IN_TIME`, looks again whether the profile has
  changed meanwhile.
"""

from collections.abc import Iterable

from shared.concurrency import all_of
from shared.domain.exports.export import Export, current_export
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import RetryPointer
from shared.domain.profile.deletion import DeletionPhase
from shared.domain.profile_key import profile_key
from shared.ports.profiles import ProfileStore
from shared.ports.undelivered import RetryQueue
from shared.services.configuration.cache import ConfigurationCache
from shared.services.delivery.attempts import Attempt
from shared.services.delivery.deliver import Delivery
from shared.services.delivery.forget_profiles import ForgetProfiles

SENT_IN_TIME = SECOND // 2
CLOCKS_APART = SECOND // 2
"""How far the clocks of workers may be apart without an event being missed."""
MAY_BE_UNDER_WAY = SENT_IN_TIME + CLOCKS_APART
SETTLES_IN = 10.0
"""Seconds. Longer than an event may be under way unnoticed; so long that most changes are followed by another."""


def settled(exports: Iterable[Export]) -> list[Export]:
    """Those to destinations whose streams are to be settled."""
    return [export for export in exports if export.destination.settle]


class SettleStreams:
    """`lingering` in seconds: how long the event of a send that failed may still reach the hub."""

    def __init__(
        self,
        *,
        profiles: ProfileStore,
        configuration: ConfigurationCache,
        delivery: Delivery,
        retries: RetryQueue,
        forget: ForgetProfiles,
        lingering: float,
    ) -> None:
        self._profiles = profiles
        self._configuration = configuration
        self._delivery = delivery
        self._retries = retries
        self._forget = forget
        self._delay = max(SETTLES_IN, lingering)

    async def later(self, exports: Iterable[Export], until: int = 0) -> set[str]:
        """Send them once more in a while, as the profiles are by then; the destinations. Raises StorageError.

        A later change makes that needless, if it comes after `until` (microseconds).
        """
        return await self._put((export, max(export.version, until)) for export in settled(exports))

    async def if_overtaken(self, exports: Iterable[Export]) -> set[str]:
        """The same of those among `exports`, all acknowledged, whose profile is of a later version by now."""
        by_profile: dict[str, list[Export]] = {}
        for export in settled(exports):
            by_profile.setdefault(export.profile_id, []).append(export)
        profiles = await all_of(self._profiles.load(profile_id) for profile_id in by_profile)
        return await self._put(
            (export, profile.state.version)
            for profile, of_profile in zip(profiles, by_profile.values(), strict=True)
            for export in of_profile
            if profile.state.version > export.version
        )

    async def _put(self, exports: Iterable[tuple[Export, int]]) -> set[str]:
        """`exports`, each with the version that what makes it needless is later than."""
        pointers = [
            RetryPointer.settling(
                export.destination.id, profile_key(export.profile_id), version, export.reasons, export.occurred_at
            )
            for export, version in exports
        ]
        await all_of(self._retries.put(pointer, self._delay) for pointer in pointers)
        return {pointer.destination_id for pointer in pointers}

    async def handle(self, pointer: RetryPointer) -> Attempt:
        """Send the profile once more, unless that is needless by now. Raises StorageError."""
        profile = await self._profiles.find(pointer.profile_key)
        snapshot = await self._configuration.current()
        target = snapshot.targets.by_id.get(pointer.destination_id)
        if profile is None or target is None:
            return Attempt.DROPPED
        state = profile.state
        if state.called_for_since(target.id, pointer.settles):
            return Attempt.OUTDATED
        export = current_export(
            state,
            target,
            snapshot.targets.catalog,
            pointer.reasons.split(","),
            pointer.occurred_at,
            state.transitions_at(target.id),
        )
        if export is None:
            return Attempt.DROPPED
        delivered = await self._delivery.finish(self._delivery.begin([export], snapshot))
        if not delivered.sent:
            return Attempt.FAILED  # and stored: what is sent for its row is what this was for
        overtaken = await self.if_overtaken(delivered.sent)
        if state.deletion is not None and state.deletion.phase == DeletionPhase.LEAVING and not overtaken:
            await self._forget.proceed(profile.key, {target.id: export.version})
        return Attempt.SENT
