"""When alerts fire: the rules over facts, and what becomes of an alert."""

import re
from collections import Counter
from pathlib import Path

import pytest

from shared.domain.alerts.alert import KEPT, Alert, AlertEvent, AlertView, alert_outdated, next_state
from shared.domain.alerts.rule import Facts, RuleState
from shared.domain.alerts.rules import RULES
from shared.domain.instants import SECOND
from shared.domain.runs import RunCounts
from tests.kit.builders import NOW

DOCUMENT = (Path(__file__).parents[3] / "docs/alerts.md").read_text()
F, C, U = RuleState.FIRING, RuleState.CLEAR, RuleState.UNKNOWN


def exported(activated: int = 0, failed: int = 0, dead: int = 0, parked: int = 0, *seconds: int) -> Facts:
    """`seconds`: how long exports took."""
    counts = RunCounts(failed=failed, dead=dead, parked=parked)
    counts.activated["audience"] = activated
    for each in seconds:
        counts.latency.add(each * SECOND)
    return Facts(exports=counts)


@pytest.mark.parametrize(
    ("rule", "facts", "verdict"),
    [
        ("destination-down", Facts(), U),
        ("destination-down", Facts(down_seconds=0), C),
        ("destination-down", Facts(down_seconds=1), F),
        ("dead-rows", Facts(), U),
        ("dead-rows", Facts(dead_rows=0), C),
        ("dead-rows", Facts(dead_rows=1), F),
        ("activation-skipped", Facts(), U),
        ("activation-skipped", exported(), C),
        ("activation-skipped", exported(activated=99, dead=1), C),
        ("activation-skipped", exported(activated=98, dead=1), F),
        ("activation-skipped", exported(activated=997, failed=1, dead=1, parked=1), C),
        ("activation-skipped", exported(activated=96, failed=1, dead=1, parked=1), F),
        ("activation-skipped", exported(parked=1), F),
        ("failure-rate", Facts(), U),
        ("failure-rate", exported(), C),
        ("failure-rate", exported(parked=9, dead=9), C),
        ("failure-rate", exported(activated=95, failed=5), C),
        ("failure-rate", exported(activated=94, failed=6), F),
        ("slow-exports", Facts(), U),
        ("slow-exports", exported(), C),
        ("slow-exports", exported(20, 0, 0, 0, *[100] * 19, 9_000), C),
        ("slow-exports", exported(20, 0, 0, 0, *[100] * 18, *[9_000] * 2), F),
        ("long-backfill", Facts(), U),
        ("long-backfill", Facts(backfill_seconds=3_600), C),
        ("long-backfill", Facts(backfill_seconds=3_601), F),
        ("poison-messages", Facts(), U),
        ("poison-messages", Facts(poison_messages=0), C),
        ("poison-messages", Facts(poison_messages=1), F),
        ("changes-waiting", Facts(), U),
        ("changes-waiting", Facts(waiting_seconds=600), C),
        ("changes-waiting", Facts(waiting_seconds=601), F),
        ("quarantine-grows", Facts(), U),
        ("quarantine-grows", Facts(intake=RunCounts()), C),
        ("quarantine-grows", Facts(intake=RunCounts(received=100, excluded=Counter({"in quarantine": 1}))), C),
        ("quarantine-grows", Facts(intake=RunCounts(received=100, excluded=Counter({"in quarantine": 2}))), F),
    ],
)
def test_the_rules(rule: str, facts: Facts, verdict: RuleState) -> None:
    assert RULES[rule].evaluate(facts) == verdict


@pytest.mark.parametrize(("threshold", "verdict"), [(None, F), (0.5, C), (0.49, F), (0, F)])
def test_another_threshold(threshold: float | None, verdict: RuleState) -> None:
    facts = exported(activated=1, dead=1)
    assert RULES["activation-skipped"].evaluate(facts, threshold) == verdict


OPEN = Alert(id="1", destination_id="d", rule="dead-rows", threshold=0, value=2, opened_at=NOW)


@pytest.mark.parametrize(
    ("verdict", "value", "changed"),
    [
        (F, 2.0, None),
        (F, 3.0, {"value": 3.0}),
        (U, None, None),
        (C, 0.0, {"value": 0.0, "resolved_at": NOW + 1}),
        (C, None, {"resolved_at": NOW + 1}),
    ],
)
def test_an_open_alert(verdict: RuleState, value: float | None, changed: dict[str, float] | None) -> None:
    after = next_state(OPEN, verdict, value, NOW + 1)
    assert after == (None if changed is None else OPEN.model_copy(update=changed))


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ("dead-rows", "critical"),
        ("long-backfill", "warning"),
        ("run-backfill-overdue", "critical"),
        ("gone", "warning"),
    ],
)
def test_an_alert_tells_the_severity_of_its_rule(rule: str, severity: str) -> None:
    assert AlertView.of(OPEN.model_copy(update={"rule": rule})).severity == severity


def test_each_rule_says_what_to_do_in_a_line() -> None:
    assert [rule.id for rule in RULES.values() if not 10 < len(rule.what_to_do) < 160] == []


def test_what_is_told_and_in_which_order() -> None:
    over = OPEN.model_copy(update={"resolved_at": NOW + 1})
    told = over.model_copy(update={"announced": AlertEvent.OPENED})
    done = over.model_copy(update={"announced": AlertEvent.RESOLVED})
    assert [each.unannounced for each in (OPEN, over, told, done)] == ["opened", "opened", "resolved", None]
    assert next_state(done, F, 1.0, NOW) is None
    assert [alert_outdated(each, NOW + 1 + KEPT) for each in (OPEN, over, told, done)] == [False, False, False, True]
    assert not alert_outdated(done, NOW + KEPT)


def test_the_table_in_the_docs_is_the_codes() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (critical|warning) \| .*? \| ([a-z]+) \(([0-9.]+)\) \| \S", DOCUMENT, re.MULTILINE
    )
    assert rows == [(rule.id, str(rule.severity), rule.unit, f"{rule.threshold:g}") for rule in RULES.values()]
