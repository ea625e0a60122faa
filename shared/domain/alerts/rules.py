"""What alerts are about: rules over what is known of a destination, or of the app. Each finds a value; too great a one
fires.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.instants import MINUTE, SECOND
from shared.domain.runs import QUARANTINED, RunCounts
from shared.domain.timers import TIMERS

WINDOW = 10 * MINUTE
"""How far back the rules look that go by what was exported."""
SLOWEST = 0.95
MOST_DAYS_LEFT = 365
"""More than that is not told apart from a key that never expires."""
THE_APP = "*"
"""Stands in a destination's place in alerts of the app itself."""
_CAN_WAIT = frozenset({"sweep_profiles"})
"""Timers that a missed run of costs nothing that the next does not make good."""


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


def _skipped(facts: Facts) -> float | None:
    """Exports that were decided and did not reach the hub; those that were decided against are no part of it."""
    exports = facts.exports
    if exports is None:
        return None
    skipped = exports.failed + exports.dead + exports.parked
    return _share(skipped, exports.activated.total() + skipped)


def _failed(facts: Facts) -> float | None:
    exports = facts.exports
    return None if exports is None else _share(exports.failed, exports.activated.total() + exports.failed)


def _throttled(facts: Facts) -> float | None:
    exports = facts.exports
    return None if exports is None else _share(exports.throttled, exports.activated.total() + exports.parked)


def _quarantined(facts: Facts) -> float | None:
    return None if facts.intake is None else _share(facts.intake.excluded[QUARANTINED], facts.intake.received)


def _share(part: int, whole: int) -> float:
    """0 where nothing was to be done: then nothing was left undone."""
    return part / whole if whole else 0.0


def _latency(facts: Facts) -> float | None:
    return None if facts.exports is None else (facts.exports.latency.quantile(SLOWEST) or 0) / SECOND


def _overdue(timer: str) -> Rule:
    severity = Severity.WARNING if timer in _CAN_WAIT else Severity.CRITICAL

    def measure(facts: Facts) -> float | None:
        return None if facts.overdue is None else facts.overdue.get(timer, 0.0)

    return Rule(
        overdue_rule(timer),
        f"The timer {timer} does not run",
        "see whether the Functions host runs, and the log of this function",
        "seconds",
        0,
        measure,
        of_the_app=True,
        severity=severity,
    )


def overdue_rule(timer: str) -> str:
    """The id of the rule for this timer."""
    return f"{timer.replace('_', '-')}-overdue"


_RULES = (
    Rule(
        "destination-down",
        "The destination does not answer",
        "see its last problem on its overview, and whether hub, key and network are as they should be; "
        "what waits is sent by itself when it answers",
        "seconds",
        0,
        lambda facts: facts.down_seconds,
        severity=Severity.CRITICAL,
    ),
    Rule(
        "dead-rows",
        "Exports are dead: every attempt has failed",
        "read the errors on Undelivered, mend what they name, then redrive",
        "exports",
        0,
        lambda facts: facts.dead_rows,
        greatest=10_000,
        severity=Severity.CRITICAL,
    ),
    Rule(
        "activation-skipped",
        "Exports that were due did not reach the hub",
        "see whether a destination is down or exports are dead; else read the errors on Undelivered",
        "share",
        0.01,
        _skipped,
        greatest=1,
    ),
    Rule(
        "failure-rate",
        "Exports are not acknowledged when they are sent",
        "nothing at first, for they are tried again; if it lasts, SEND_TIMEOUT may be too short",
        "share",
        0.05,
        _failed,
        greatest=1,
    ),
    Rule(
        "throttled",
        "The hub is busy, and exports wait until it takes them",
        "nothing is lost; if it lasts, give the namespace more throughput units",
        "share",
        0.05,
        _throttled,
        greatest=1,
    ),
    Rule(
        "slow-exports",
        "Exports take long (95th percentile)",
        "see on Input what waits, and on Backfills what goes on; let more instances run",
        "seconds",
        600,
        _latency,
    ),
    Rule(
        "long-backfill",
        "A backfill takes long",
        "see on Backfills how far it is; it can be cancelled there",
        "seconds",
        3_600,
        lambda facts: facts.backfill_seconds,
    ),
    Rule(
        "events-expire-unread",
        "A consumer has left events unread for much of the time that the hub keeps them",
        "see For consumers which group reads too slowly; start its reader, or let the hub keep events longer",
        "share",
        0.45,  # of the shortest usual retention, a day, more than half is left then, however long it takes to look
        lambda facts: facts.unread_share,
        greatest=1,
    ),
    Rule(
        "key-expires-soon",
        "A key expires soon: change it now",
        "rotate the key in the destination's settings; where it is the app's storage, change its app setting",
        "days",
        2,
        lambda facts: facts.key_days_left,
        greatest=MOST_DAYS_LEFT,
        of_both=True,
        below=True,
        severity=Severity.CRITICAL,
    ),
    Rule(
        "key-expiring",
        "A key is about to expire",
        "the same, within two weeks",
        "days",
        14,
        lambda facts: facts.key_days_left,
        greatest=MOST_DAYS_LEFT,
        of_both=True,
        below=True,
    ),
    Rule(
        "poison-messages",
        "Messages failed at every delivery",
        "read the log of the function that failed; after an outage of storage, nothing: they are put back",
        "messages",
        0,
        lambda facts: facts.poison_messages,
        greatest=1_000,
        of_the_app=True,
    ),
    Rule(
        "changes-waiting",
        "Changes wait long to be taken",
        "let more instances run; if nothing is taken at all, read the log of export_profile_changes",
        "seconds",
        600,
        lambda facts: facts.waiting_seconds,
        of_the_app=True,
    ),
    Rule(
        "quarantine-grows",
        "Changes are put in quarantine",
        "read the reasons on Quarantine, tell upstream, then replay",
        "share",
        0.01,
        _quarantined,
        greatest=1,
        of_the_app=True,
    ),
    Rule(
        "no-changes",
        "Hardly any changes are received, at an hour that usually has some",
        "ask upstream whether it sends, and to which queue",
        "changes",
        20,
        lambda facts: facts.missing_changes,
        of_the_app=True,
        severity=Severity.CRITICAL,
    ),
    Rule(
        "wrong-settings",
        "App settings stop functions",
        "correct the app settings that the top of each page names",
        "settings",
        0,
        lambda facts: facts.wrong_settings,
        greatest=100,
        of_the_app=True,
        severity=Severity.CRITICAL,
    ),
    Rule(
        "sign-in-failing",
        "The app's identity gets no new tokens; the last ones serve until they end",
        "see whether the Function App has its identity still, and whether Azure has an outage",
        "seconds",
        600,
        lambda facts: facts.sign_in_seconds,
        of_the_app=True,
        severity=Severity.CRITICAL,
    ),
    *map(_overdue, TIMERS),
)
RULES: Mapping[str, Rule] = {rule.id: rule for rule in _RULES}
