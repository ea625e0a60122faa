"""Whether everything is fine, in a sentence: what is wrong first, then what waits, then how fast changes are taken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.rule import THE_APP, Severity
from shared.domain.configuration.model import Dataflow
from shared.domain.exports.undelivered import UndeliveredState
from shared.domain.instants import MINUTE, SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.ports.queues import QueueCount, of_changes
from shared.ports.undelivered import UndeliveredCount
from shared.services.runs.last_day import Day
from shared.views.configuration import DestinationResource
from shared.web.console.backlog import Need, backlogs
from shared.web.console.words import counted, duration, lasting, since

Kind = Literal["good", "warn", "bad", "idle"]
_SLOW = MINUTE
"""From then on it is worth a word that changes wait, long before the queue counts as piling up."""
_NAMED = 3
"""Of the rules that have open alerts, so many are named in the sentence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One destination: how it is, in a word or two and a colour, and what it came to. `day` and `waiting` are None
    where they are not known.
    """

    destination: DestinationResource
    dataflow: Dataflow | None
    alerts: list[AlertView]
    waiting: UndeliveredCount | None
    day: Day | None

    @property
    def state(self) -> tuple[Kind, str]:
        """One with an open alert is never plainly healthy."""
        health = self.destination.health
        if health is not None and health.state != "healthy":
            return ("bad", "Down") if health.state == "down" else ("warn", "Recovering")
        if self.alerts:
            return "warn", "Alert"
        if self.dataflow is None:
            return "idle", "No dataflow"
        if not self.dataflow.enabled:
            return "idle", "Paused"
        if self.day is not None and self.day.last_slot is None:
            return "idle", "No exports in 24 h"
        return "good", "Healthy"

    @property
    def needs_somebody(self) -> bool:
        return self.state[0] in {"bad", "warn"} or bool(self.waiting and self.waiting.by_state.get("dead"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`clauses` belong to one sentence; each may hold times that are marked up."""

    kind: Kind
    clauses: list[Markup]


def verdict(
    standings: Sequence[Standing],
    alerts: Sequence[AlertView],
    queues: Sequence[QueueCount] | None,
    now: int,
    seconds_left: float | None = None,
    quarantined: int = 0,
) -> Verdict:
    """`queues`: None where what waits there is not known. `seconds_left`: until the last recovery is done, if known.
    `quarantined`: in the last day.
    """
    said = [
        *_health(standings, now, seconds_left),
        *_undelivered(standings, now),
        *_input(queues, now),
        *_queues(queues, now),
        *_quarantine(quarantined),
        *_alerts(alerts),
    ]
    kinds = [kind for kind, _ in said]
    worst: Kind = "bad" if "bad" in kinds else "warn" if "warn" in kinds else "good"
    fine = [Markup("All is well")] if worst == "good" else []
    return Verdict(worst, [*fine, *(Markup.escape(clause) for _, clause in said)])


_Said = tuple[Kind, str]


def _health(standings: Sequence[Standing], now: int, seconds_left: float | None) -> list[_Said]:
    said: list[_Said] = []
    down = [each.destination for each in standings if each.state[1] == "Down"]
    began = [each.health.since for each in down if each.health and each.health.since]
    if began:
        of = f"{len(down):,} of {counted(len(standings), 'destination')} down"
        which = f": {down[0].name}," if len(down) == 1 else ", the first"
        said.append(("bad", Markup("{}{} {}").format(of, which, since(min(began), now))))
    recovering = sum(each.state[1] == "Recovering" for each in standings)
    if recovering:
        left = "" if seconds_left is None else f", about {duration(int(seconds_left * SECOND))} left at this pace"
        said.append(("warn", f"{recovering:,} of {counted(len(standings), 'destination')} recovering{left}"))
    return said


def _undelivered(standings: Sequence[Standing], now: int) -> list[_Said]:
    counts = [each.waiting for each in standings if each.waiting is not None]
    if len(counts) < len(standings):
        return [("warn", "how many exports wait is not known")]
    dead = sum(count.by_state.get(UndeliveredState.DEAD, 0) for count in counts)
    waiting = sum(count.total for count in counts) - dead
    more = "" if all(count.complete for count in counts) else " or more"
    said: list[_Said] = []
    if waiting:
        age = _oldest(counts, now, dead=False)
        waits = f"{counted(waiting, 'export')}{more} {'waits' if waiting == 1 else 'wait'}"
        said.append(("warn", Markup("{}{}: none is lost").format(waits, age)))
    if dead:
        age = _oldest(counts, now, dead=True)
        are = f"{counted(dead, 'export')} {'is' if dead == 1 else 'are'} dead"
        said.append(("warn", Markup("{}{}: kept until somebody redrives them").format(are, age)))
    return said or [("good", "no export waits")]


def _oldest(counts: Sequence[UndeliveredCount], now: int, *, dead: bool) -> Markup:
    """Of those that are dead, or of the others."""
    groups = [each for count in counts for each in count.groups]
    since_when = [each.oldest for each in groups if (each.state == UndeliveredState.DEAD) == dead]
    return Markup(", the oldest for {}").format(lasting(min(since_when), now)) if since_when else Markup()


def _input(queues: Sequence[QueueCount] | None, now: int) -> list[_Said]:
    if queues is None:
        return [("warn", "what waits on the queues is not known")]
    changes = of_changes(queues)
    if changes is None:
        return [("warn", "how many changes wait is not known")]
    front = changes.front_inserted_at
    if front is None:
        return [("good", "no change waits to be taken")]
    kind: Kind = "warn" if now - front >= _SLOW else "good"
    return [(kind, Markup("the first change has waited for {}").format(lasting(front, now)))]


def _queues(queues: Sequence[QueueCount] | None, now: int) -> list[_Said]:
    """What needs somebody besides the changes that wait, which are spoken of anyway."""
    needs = Counter(
        backlog.need
        for backlog in backlogs(queues or (), now)
        if not (backlog.need in (Need.LATE, Need.UNKNOWN) and backlog.count.kind is QueueKind.CHANGES)
    )
    words: dict[Need, tuple[Kind, str]] = {
        Need.POISONED: ("bad", "with messages that failed at every delivery"),
        Need.MISSING: ("bad", "missing"),
        Need.UNKNOWN: ("warn", "not counted"),
        Need.LATE: ("warn", "piling up"),
    }
    return [(kind, f"{counted(needs[need], 'queue')} {text}") for need, (kind, text) in words.items() if needs[need]]


def _quarantine(quarantined: int) -> list[_Said]:
    """No colour of its own: the alert quarantine-grows tells when it is more than chance."""
    if not quarantined:
        return []
    went = f"{counted(quarantined, 'change')} went into quarantine in 24 hours"
    return [("good", went)]


def _alerts(alerts: Sequence[AlertView]) -> list[_Said]:
    """Which, the most important first, as they come."""
    if not alerts:
        return []
    rules = Counter(alert.rule for alert in alerts)
    named = [rule if number == 1 else f"{number:,} {rule}" for rule, number in list(rules.items())[:_NAMED]]
    if len(rules) > _NAMED:
        named.append(f"{sum(list(rules.values())[_NAMED:]):,} more")
    critical = sum(alert.severity is Severity.CRITICAL for alert in alerts)
    of_the_app = sum(alert.destination_id == THE_APP for alert in alerts)
    said = [f"{counted(len(alerts), 'alert')} open ({', '.join(named)})"]
    said += [
        f"{number:,} {text}" for number, text in ((critical, "critical"), (of_the_app, "of the app itself")) if number
    ]
    return [("warn", ", ".join(said))]
