"""What an alert is about: a rule, which finds a value in what is known of a destination, or of the app."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.runs import RunCounts

THE_APP = "*"
"""Stands in a destination's place in alerts of the app itself."""


class RuleState(StrEnum):
    """`unknown`: what the rule needs could not be found out, so nothing is said and nothing taken back."""

    FIRING = "firing"
    CLEAR = "clear"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """`critical`: exports do not reach a hub, or a part of the app stands still, until somebody acts. `warning`: it
    mends itself, or can wait until the morning.
    """

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one destination, or of the app, at one moment; None where something could not be found out.

    `down_seconds` and `backfill_seconds` are 0 where it is not down, or no backfill runs. `unread_share`: for how much
    of the hub's retention the oldest event that a consumer has not read has waited. `exports`: of the window, and so is
    `intake`, which is the app's. `waiting_seconds`: for how long the first change waits that could be taken.
    `poison_messages` are the app's: those that failed at every delivery in the last hour, or before it and wait still.
    Of the app itself: `missing_changes` that usually come at this hour and did not, `wrong_settings` that stop
    functions, for how many seconds each timer is overdue, by name, and for how many its identity has had no new token.
    `key_days_left`: until the first key expires that the destination, or the app's storage, is reached with.
    """

    down_seconds: float | None = None
    dead_rows: int | None = None
    exports: RunCounts | None = None
    backfill_seconds: float | None = None
    unread_share: float | None = None
    poison_messages: int | None = None
    waiting_seconds: float | None = None
    intake: RunCounts | None = None
    missing_changes: int | None = None
    wrong_settings: int | None = None
    overdue: Mapping[str, float] | None = None
    sign_in_seconds: float | None = None
    key_days_left: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`threshold` is the greatest value that is no alert, or the least of a rule that fires `below` it, unless a
    subscription says another; in `unit`. `what_to_do`: at night, in a line; docs/alerts.md has more.

    `measure` finds the value, None where it is unknown.
    """

    id: str
    description: str
    what_to_do: str
    unit: str
    threshold: float
    measure: Callable[[Facts], float | None]
    greatest: float = 1e9
    """The greatest threshold that makes sense."""
    of_the_app: bool = False
    """Whether it is about the app itself, and not about each destination."""
    of_both: bool = False
    below: bool = False
    severity: Severity = Severity.WARNING

    def evaluate(self, facts: Facts, threshold: float | None = None) -> RuleState:
        """Whether the rule fires, by its own threshold or by another."""
        value = self.measure(facts)
        if value is None:
            return RuleState.UNKNOWN
        limit = self.threshold if threshold is None else threshold
        fires = value < limit if self.below else value > limit
        return RuleState.FIRING if fires else RuleState.CLEAR

    def concerns(self, subject: str) -> bool:
        """Whether it is about this destination, or the app."""
        return self.of_both or self.of_the_app == (subject == THE_APP)

    @property
    def compared(self) -> str:
        """What a value that fires is, in words, such as `more than` the threshold."""
        return "less than" if self.below else "more than"
