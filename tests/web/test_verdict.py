"""Whether everything is fine, in a sentence with a colour."""

import re

import pytest

from shared.domain.alerts.alert import Alert, AlertView
from shared.domain.configuration.model import Configuration, Dataflow
from shared.domain.instants import DAY, MINUTE
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.runs import Histogram
from shared.errors import StorageError
from shared.ports.health import DestinationTrouble
from shared.ports.queues import QueueCount
from shared.ports.undelivered import UndeliveredCount, UndeliveredGroup
from shared.services.runs.last_day import Day
from shared.views.configuration import DestinationResource
from shared.web.console.verdict import Standing, Verdict, verdict
from tests.kit.builders import NOW, configuration
from tests.kit.console import Console
from tests.kit.world import DOCUMENT, World

NOTHING = UndeliveredCount({}, complete=True)
BUSY = Day([0] * 23 + [5], NOW, Histogram())
SILENT = Day([0] * 24, None, Histogram())
KNOWN: Configuration = configuration(DOCUMENT)
EMPTY = [QueueCount(QueueKind.CHANGES, "profile-changes", False, 0, None)]


def alert(destination_id: str = "d", rule: str = "dead-rows") -> AlertView:
    return AlertView.of(
        Alert(id="a", destination_id=destination_id, rule=rule, threshold=0, value=1, opened_at=NOW - MINUTE)
    )


def standing(
    trouble: DestinationTrouble | None = None,
    alerts: list[AlertView] | None = None,
    waiting: UndeliveredCount | None = NOTHING,
    day: Day = BUSY,
    dataflow: Dataflow | None = Dataflow(id="d"),  # noqa: B008 - it is not changed
) -> Standing:
    resource = DestinationResource.of(KNOWN.destinations[0], KNOWN, {"d": trouble} if trouble else {})
    return Standing(resource, dataflow, alerts or [], waiting, day)


def counted(*groups: tuple[str, int, int], complete: bool = True) -> UndeliveredCount:
    """Rows by state, with when the first of them failed."""
    return UndeliveredCount(
        {state: rows for state, rows, _ in groups},
        complete,
        min(oldest for _, _, oldest in groups),
        tuple(UndeliveredGroup(None, state, rows, oldest, oldest) for state, rows, oldest in groups),
    )


def said(found: Verdict) -> str:
    return re.sub(r"<[^>]*>", "", " · ".join(found.clauses))


DOWN = DestinationTrouble("d", recovering=False, since=NOW - 9 * MINUTE, error="x")
RECOVERING = DestinationTrouble("d", recovering=True, since=NOW - MINUTE, error="x")


@pytest.mark.parametrize(
    ("one", "state", "needs"),
    [
        (standing(), ("good", "Healthy"), False),
        (standing(day=SILENT), ("idle", "No exports in 24 h"), False),
        (standing(dataflow=None), ("idle", "No dataflow"), False),
        (standing(dataflow=Dataflow(id="d", enabled=False)), ("idle", "Paused"), False),
        (standing(alerts=[alert()]), ("warn", "Alert"), True),
        (standing(DOWN, [alert()]), ("bad", "Down"), True),
        (standing(RECOVERING), ("warn", "Recovering"), True),
        (standing(waiting=UndeliveredCount({"dead": 1}, True, NOW)), ("good", "Healthy"), True),
    ],
)
def test_how_a_destination_is(one: Standing, state: tuple[str, str], needs: bool) -> None:
    assert (one.state, one.needs_somebody) == (state, needs)


def test_all_is_well_where_nothing_waits() -> None:
    found = verdict([standing()], [], EMPTY, NOW)
    assert (found.kind, said(found)) == ("good", "All is well · no export waits · no change waits to be taken")


def test_a_recovery_says_when_it_is_over_as_far_as_that_is_known() -> None:
    waiting = counted(("parked", 5, NOW - MINUTE))
    known, unknown = (
        said(verdict([standing(RECOVERING, waiting=waiting)], [], EMPTY, NOW, left)) for left in (125.0, None)
    )
    assert "1 of 1 destination recovering, about 2 min left at this pace · 5 exports wait" in known
    assert "1 of 1 destination recovering · 5 exports wait" in unknown


def test_since_when_names_the_day_where_it_was_another() -> None:
    long_down = DestinationTrouble("d", recovering=False, since=NOW - 3 * 24 * 60 * MINUTE, error="x")
    assert "since 2026-01-08 22:00 UTC (3 d)" in said(verdict([standing(long_down)], [], EMPTY, NOW))


def test_what_is_down_comes_first_then_what_waits() -> None:
    waiting = counted(("parked", 10_000, NOW - 8 * MINUTE), ("dead", 2, NOW - 3 * DAY), complete=False)
    found = verdict(
        [standing(DOWN, waiting=waiting), standing()],
        [alert(rule="throttled"), alert("*", "key-expires-soon")],
        EMPTY,
        NOW,
    )
    assert found.kind == "bad"
    assert said(found) == (
        "1 of 2 destinations down: D, since 21:51 UTC (9 min) · "
        "10,000 exports or more wait, the oldest for 8 min: none is lost · "
        "2 exports are dead, the oldest for 3 d: kept until somebody redrives them · no change waits to be taken · "
        "2 alerts open (throttled, key-expires-soon), 1 critical, 1 of the app itself"
    )


def test_of_many_alerts_the_first_rules_are_named_and_the_others_counted() -> None:
    rules = ["dead-rows", "dead-rows", "throttled", "slow-exports", "key-expiring", "no-changes"]
    found = said(verdict([standing()], [alert(rule=rule) for rule in rules], EMPTY, NOW))
    assert "6 alerts open (2 dead-rows, throttled, slow-exports, 2 more)" in found


def test_what_went_into_quarantine_is_said_and_is_no_warning_by_itself() -> None:
    found = verdict([standing()], [], EMPTY, NOW, quarantined=3)
    assert (found.kind, said(found)) == (
        "good",
        "All is well · no export waits · no change waits to be taken · 3 changes went into quarantine in 24 hours",
    )


@pytest.mark.parametrize(
    ("queues", "kind", "clause"),
    [
        ([QueueCount(QueueKind.CHANGES, "q", False, 5, NOW - 2_000_000)], "good", "has waited for 2 s"),
        ([QueueCount(QueueKind.CHANGES, "q", False, 5, NOW - MINUTE)], "warn", "has waited for 1 min"),
        ([*EMPTY, QueueCount(QueueKind.RETRIES, "q", True, 1, NOW)], "bad", "1 queue with messages that failed"),
        ([QueueCount(QueueKind.SLICES, "q", False, None, None)], "bad", "1 queue missing"),
        ([QueueCount(QueueKind.CHANGES, "q", False, None, None, "no")], "warn", "how many changes wait is not known"),
        ([*EMPTY, QueueCount(QueueKind.RETRIES, "q", True, None, None, "no")], "warn", "1 queue not counted"),
        ([*EMPTY, QueueCount(QueueKind.SLICES, "q", False, 1, NOW - 10 * MINUTE)], "warn", "1 queue piling up"),
        (None, "warn", "what waits on the queues is not known"),
    ],
)
def test_the_input_side_counts(queues: list[QueueCount] | None, kind: str, clause: str) -> None:
    found = verdict([standing()], [], queues, NOW)
    assert found.kind == kind
    assert clause in said(found)


def test_what_is_not_known_is_not_well() -> None:
    found = verdict([standing(waiting=None)], [], EMPTY, NOW)
    assert (found.kind, said(found).split(" · ")[0]) == ("warn", "how many exports wait is not known")


async def test_the_page_stands_where_counts_fail() -> None:
    world = World()

    async def fail(*_: object) -> None:
        raise StorageError("table T: no answer")

    world.undelivered.counts = fail  # type: ignore[method-assign, assignment]
    world.runs.read = fail  # type: ignore[method-assign, assignment]
    async with Console(world) as console:
        page = await console.page("/console")
    assert "Not known for now: Table T: no answer. Not known for now: Table T: no answer." in page
    assert "No export in the last 24 hours" not in page
    assert re.search(r"D Healthy unknown unknown unknown E ", page)
