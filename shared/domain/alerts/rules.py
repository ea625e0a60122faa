"""The rules of alerts, causes before what comes of them."""

from collections.abc import Mapping

from shared.domain.alerts.rule import Facts, Rule, Severity
from shared.domain.instants import MINUTE, SECOND
from shared.domain.runs import QUARANTINED
from shared.domain.timers import TIMERS

WINDOW = 10 * MINUTE
"""How far back the rules look that go by what was exported."""
SLOWEST = 0.95
MOST_DAYS_LEFT = 365
"""More than that is not told apart from a key that never expires."""
_CAN_WAIT = frozenset({"sweep_profiles"})
"""Timers that a missed run of costs nothing that the next does not make good."""


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
        "see its last problem, and whether hub, key and network are as they should be; "
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
        "rotate the key in the destination's settings within these days; "
        "where it is the app's storage, change its app setting",
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
