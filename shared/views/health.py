"""Whether the app can work: its settings, its packages, its timers."""

from collections.abc import Iterable

from pydantic import Field

from shared.domain.setting_problem import SettingProblem
from shared.domain.timers import TimerState
from shared.views.view import Instant, InstantOrNone, View


class SettingProblemView(View):
    setting: str
    problem: str
    stops: str = Field(description="The function that cannot work; empty where all work, if not as it seems")


class TimerView(View):
    name: str
    schedule: str
    last_run_at: InstantOrNone = Field(description="Null where it has not run since it was known")
    due_at: Instant = Field(description="The first run after that")
    overdue_seconds: float = Field(description="For how long it has been missed beyond all patience; 0 where it is not")

    @classmethod
    def of(cls, state: TimerState) -> "TimerView":
        return cls(
            name=state.run.name,
            schedule=state.run.schedule,
            last_run_at=state.run.ran_at,
            due_at=state.due_at,
            overdue_seconds=state.overdue_seconds,
        )


class HealthView(View):
    """All is well where this is answered: `settings` has what is odd and stops nothing."""

    settings: list[SettingProblemView]
    timers: list[TimerView]

    @classmethod
    def of(cls, problems: Iterable[SettingProblem], states: Iterable[TimerState]) -> "HealthView":
        return cls(
            settings=[SettingProblemView.model_validate(problem) for problem in problems],
            timers=[TimerView.of(state) for state in states],
        )


def what_is_wrong(problems: Iterable[SettingProblem], states: Iterable[TimerState]) -> list[str]:
    """A sentence for each thing that stops functions."""
    return [str(problem) for problem in problems if problem.is_error] + [
        f"timer {state.run.name}: no run since {_last(state)}, for {state.overdue_seconds:.0f} s more than it may take"
        for state in states
        if state.is_overdue
    ]


def _last(state: TimerState) -> str:
    view = TimerView.of(state)
    return view.last_run_at or f"it was known, and one was due at {view.due_at}"
