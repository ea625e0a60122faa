"""When each timer ran last, and which is overdue: whoever is asked reads it, for a timer that stopped tells nobody."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, tzinfo

from shared.domain.instants import MINUTE, within
from shared.domain.timers import TimerRun, TimerState, state_of
from shared.errors import ConflictError, StorageError
from shared.ports.time import Clock
from shared.ports.timers import TimerStore

COVERED_FOR = MINUTE
"""So long nobody else does the work of a timer that is overdue."""
READ_FOR = MINUTE // 2
"""So long pages of a console go by what was read."""


class TimerRuns:
    """`schedules` by the name of each timer that is to run, read in `zone`."""

    def __init__(self, store: TimerStore, clock: Clock, schedules: Mapping[str, str], zone: tzinfo = UTC) -> None:
        self._store = store
        self._clock = clock
        self._schedules = schedules
        self._zone = zone
        self._looked_at = 0
        self._lately: list[TimerState] = []

    async def ran(self, name: str) -> None:
        """The timer runs now. Raises StorageError."""
        now = self._clock()
        if (schedule := self._schedules.get(name)) is not None:
            await self._store.put(TimerRun(name, schedule, since=now, ran_at=now))

    async def states(self) -> list[TimerState]:
        """Where each timer stands; a new one, or one with a new schedule, counts from now on. Raises StorageError."""
        now, known = self._clock(), await self._store.load()
        states = []
        for name, schedule in self._schedules.items():
            run = known.get(name) or TimerRun(name, "", since=now)
            if run.schedule != schedule:
                run = replace(run, schedule=schedule, since=now)
                with suppress(ConflictError):  # it ran meanwhile, or somebody else noticed
                    await self._store.save(run)
            if (state := state_of(run, now, self._zone)) is not None:
                states.append(state)
        return states

    async def as_noted(self) -> list[TimerState]:
        """Where each stands, by the schedules that they were noted with. Raises StorageError."""
        now = self._clock()
        states = (state_of(run, now, self._zone) for run in (await self._store.load()).values())
        return [state for state in states if state is not None]

    async def lately(self) -> list[TimerState]:
        """Where each stood at most half a minute ago; nothing where storage does not answer, which is not asked again
        for as long.
        """
        now = self._clock()
        if not within(now - self._looked_at, READ_FOR):
            self._looked_at, self._lately = now, []
            with suppress(StorageError):
                self._lately = await self.states()
        return self._lately

    async def covers(self, state: TimerState) -> bool:
        """Whether the caller is to do the work of this timer, which is overdue: one at a time. Raises StorageError."""
        now = self._clock()
        if not state.is_overdue or within(now - state.run.covered_at, COVERED_FOR):
            return False
        try:
            await self._store.save(replace(state.run, covered_at=now))
        except ConflictError:
            return False
        return True
