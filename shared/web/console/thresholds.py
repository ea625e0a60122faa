"""The thresholds of a subscription as people type them: a share in per cent, all else in its rule's unit."""

from decimal import Decimal, InvalidOperation

from shared.domain.alerts.rule import Rule
from shared.domain.alerts.rules import RULES
from shared.web.console.forms import Form
from shared.web.console.problems_by_field import Problems

_PER_CENT = 100


def field_name(rule_id: str) -> str:
    """Of the field that has the rule's threshold."""
    return f"threshold_{rule_id}"


def unit_of(rule: Rule) -> str:
    """What is typed is in this unit."""
    return "%" if rule.unit == "share" else rule.unit


def parse_thresholds(form: Form, events: list[str]) -> tuple[dict[str, float], Problems]:
    """By rule, in the rule's unit, where something was typed; and what is wrong, by field."""
    thresholds, problems = {}, Problems()
    for rule in RULES.values():
        text = form.text(field_name(rule.id))
        if not text:
            continue
        factor = _PER_CENT if rule.unit == "share" else 1
        try:
            typed = Decimal(text)
            if not 0 <= typed <= Decimal(rule.greatest) * factor:
                raise ValueError
        except (InvalidOperation, ValueError):
            problems.add(field_name(rule.id), f"expected a number from 0 to {rule.greatest * factor:,.0f}")
            continue
        if rule.id not in events:
            problems.add(field_name(rule.id), "choose this alert above, too, or leave this empty")
        thresholds[rule.id] = float(typed / factor)
    return thresholds, problems
