"""Bugs that were never made: each is put in the place of what the app does, for the judge to find."""

from typing import Any

import pytest

from shared.domain.exports.export import Export
from shared.domain.exports.undelivered import Failure
from shared.services.changes.profile_writer import ProfileWriter
from shared.services.configuration.cache import ConfigurationCache
from shared.services.delivery.deliver import Delivery
from shared.services.delivery.retry import RetryExport
from shared.services.delivery.settle import SettleStreams
from tests.faults.simulator.worker import Worker
from tests.kit.fakes.profiles import MemoryProfiles
from tests.kit.memory_queues import Taken

Patch = pytest.MonkeyPatch


def drop_what_could_not_be_sent(patch: Patch) -> None:
    async def store(self: Delivery, export: Export, failure: Failure) -> str:
        return "retrying"

    patch.setattr(Delivery, "store", store)


def forget_what_is_due(patch: Patch) -> None:
    attempt = ProfileWriter._attempt

    async def forgetful(self: ProfileWriter, profile: Any, act: Any, remembered: bool) -> Any:
        def acts(state: Any, targets: Any, now: int) -> Any:
            result = act(state, targets, now)
            state.due.clear()
            return result

        return await attempt(self, profile, acts, remembered)

    patch.setattr(ProfileWriter, "_attempt", forgetful)


def acknowledge_before_saving(patch: Patch) -> None:
    handle = Worker._handle

    async def hasty(self: Worker, taken: Taken) -> None:
        await self._tables.queues.settle(taken.message)
        await handle(self, taken)

    patch.setattr(Worker, "_handle", hasty)


def ignore_the_etag(patch: Patch) -> None:
    save = MemoryProfiles.save

    async def overwrite(self: MemoryProfiles, profile: Any) -> None:
        profile.etag = self.rows[profile.key][1] if profile.key in self.rows else None
        await save(self, profile)

    patch.setattr(MemoryProfiles, "save", overwrite)


def settle_nothing(patch: Patch) -> None:
    async def nothing(self: SettleStreams, exports: Any, until: int = 0) -> set[str]:
        return set()

    patch.setattr(SettleStreams, "later", nothing)
    patch.setattr(SettleStreams, "if_overtaken", nothing)


def delete_the_row_before_its_retry(patch: Patch) -> None:
    attempt = RetryExport.attempt

    async def hasty(self: RetryExport, stored: Any, snapshot: Any) -> Any:
        await self.undelivered.delete(stored)
        stored.etag = None
        return await attempt(self, stored, snapshot)

    patch.setattr(RetryExport, "attempt", hasty)


def never_read_the_configuration_again(patch: Patch) -> None:
    """A worker that never reads the configuration again."""

    def is_current(self: ConfigurationCache, snapshot: Any) -> bool:
        return True

    patch.setattr(ConfigurationCache, "_is_current", is_current)
