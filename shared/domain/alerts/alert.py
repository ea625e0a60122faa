"""An alert from its opening to its end. What is to be told of it is noted in it, so that nobody is told twice."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.alerts.rule import RuleState, Severity
from shared.domain.alerts.rules import RULES
from shared.domain.instants import DAY, format_instant, within

KEPT = 30 * DAY
"""How long resolved alerts can be seen."""


class AlertEvent(StrEnum):
    OPENED = "opened"
    RESOLVED = "resolved"


class Alert(BaseModel):
    """The latest alert of one rule for one destination by one threshold. Times are microseconds, 0 where not yet.

    `value` is the last that was found. `announced`: of which events the deliveries are stored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    destination_id: str
    rule: str
    threshold: float
    value: float
    opened_at: int
    resolved_at: int = 0
    announced: AlertEvent | None = None

    @property
    def key(self) -> str:
        return alert_key(self.destination_id, self.rule, self.threshold)

    @property
    def unannounced(self) -> AlertEvent | None:
        """What is to be told next. That it opened is told first, also where it is over by then."""
        if self.announced is None:
            return AlertEvent.OPENED
        return AlertEvent.RESOLVED if self.resolved_at and self.announced == AlertEvent.OPENED else None

    def event_id(self, event: AlertEvent) -> str:
        """The same whenever the event is told of."""
        return f"{self.id}-{event}"


class AlertView(BaseModel):
    """An alert, for people and receivers. `threshold` is the one by which it opened: there is an alert of its own for
    each that is subscribed to.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: str
    state: Literal["open", "resolved"]
    destination_id: str = Field(description="`*` where the alert is about the app as a whole")
    rule: str
    severity: Severity = Field(
        description="`critical`: nothing goes on until somebody acts; `warning`: it can wait until the morning"
    )
    description: str
    value: float = Field(description="The last that was found, in `unit`")
    threshold: float
    unit: str
    opened_at: str
    resolved_at: str | None

    @classmethod
    def of(cls, alert: Alert) -> "AlertView":
        rule = RULES.get(alert.rule)
        return cls(
            id=alert.id,
            state="resolved" if alert.resolved_at else "open",
            destination_id=alert.destination_id,
            rule=alert.rule,
            severity=rule.severity if rule else Severity.WARNING,
            description=rule.description if rule else "",
            value=round(alert.value, 6),
            threshold=alert.threshold,
            unit=rule.unit if rule else "",
            opened_at=format_instant(alert.opened_at),
            resolved_at=format_instant(alert.resolved_at) if alert.resolved_at else None,
        )


def alert_key(destination_id: str, rule: str, threshold: float) -> str:
    """There is one alert at a time for each of them, however many subscriptions ask for it."""
    return f"{destination_id}|{rule}|{float(threshold)!r}"


def next_state(current: Alert, verdict: RuleState, value: float | None, now: int) -> Alert | None:
    """What becomes of an alert that is open; None where that is nothing new."""
    if current.resolved_at or verdict == RuleState.UNKNOWN:
        return None
    changed = {} if value is None or value == current.value else {"value": value}
    if verdict == RuleState.CLEAR:
        return current.model_copy(update=changed | {"resolved_at": now})
    return current.model_copy(update=changed) if changed else None


def alert_outdated(alert: Alert, now: int) -> bool:
    """Whether nobody needs to see it any more."""
    return bool(alert.resolved_at) and alert.unannounced is None and not within(now - alert.resolved_at, KEPT)
