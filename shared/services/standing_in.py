"""For timers that have stopped: another function notices, tells of it, and does what cannot wait."""

from dataclasses import dataclass, field

from shared.domain.instants import MINUTE
from shared.domain.timers import LEAST_PATIENCE, TimerState
from shared.ports.time import Clock
from shared.services.alerts.evaluate import AlertRun, EvaluateAlerts
from shared.services.delivery.watch import WatchDestinations, WatchOutcome
from shared.services.runs.timers import TimerRuns

LOOK_AFTER = MINUTE
WATCH_BUDGET = 5.0
"""Seconds for what waits for a destination: the message that a worker has in hand meanwhile waits for it, too."""


@dataclass(slots=True)
class StoodIn:
    """`overdue`: the timers that do not run. The others: what was done in their place."""

    overdue: list[TimerState] = field(default_factory=list)
    alerts: AlertRun = field(default_factory=AlertRun)
    watched: WatchOutcome = field(default_factory=WatchOutcome)


class StandIn:
    """Of one worker. `watch` must be done within seconds."""

    def __init__(
        self, *, timers: TimerRuns, watch: WatchDestinations, evaluate_alerts: EvaluateAlerts, clock: Clock
    ) -> None:
        self._timers = timers
        self._watch = watch
        self._evaluate_alerts = evaluate_alerts
        self._clock = clock
        self._look_at = clock() + LEAST_PATIENCE  # after a start of the app the timers are given time to run

    async def look(self, outcome: StoodIn) -> None:
        """Look after the timers if this worker has not just done so; what there is goes into `outcome`.

        Costs nothing in between. Raises StorageError.
        """
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_AFTER
        await self.look_after(await self._timers.states(), outcome)

    async def look_after(self, states: list[TimerState], outcome: StoodIn) -> None:
        """Do what cannot wait of the timers that are overdue. Raises StorageError."""
        outcome.overdue = [state for state in states if state.is_overdue]
        by_name = {state.run.name: state for state in outcome.overdue}
        watch, alerts = by_name.get("watch_destinations"), by_name.get("evaluate_alerts")
        if watch is not None and await self._timers.covers(watch):
            outcome.watched = await self._watch.run()
        if alerts is not None and await self._timers.covers(alerts):
            await self._evaluate_alerts.run(outcome.alerts)
