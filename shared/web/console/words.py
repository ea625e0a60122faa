"""How pages say numbers, times and places."""

import json
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.rule import Rule
from shared.domain.alerts.rules import RULES
from shared.domain.instants import DAY, MINUTE, SECOND, format_instant, parse_instant

_HOUR = 60 * MINUTE
_UNITS = ((DAY, "d"), (_HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


def age(instant: int | str, now: int) -> Markup:
    """How long ago it was, and on pointing at it exactly when. `instant`: microseconds, or ISO 8601."""
    at = parse_instant(instant) if isinstance(instant, str) else instant
    if now - at >= SECOND:
        text = f"{duration(now - at)} ago"
    else:
        text = f"in {duration(at - now)}" if at - now >= SECOND else "just now"
    return _time(at, text)


def lasting(instant: int | str, now: int) -> Markup:
    """For how long it has been so."""
    at = parse_instant(instant) if isinstance(instant, str) else instant
    return _time(at, duration(now - at))


def since(instant: int | str, now: int) -> Markup:
    """Since when it has been so, as people say it to each other, and for how long."""
    at = parse_instant(instant) if isinstance(instant, str) else instant
    text = format_instant(at)
    clock = text[11:16] if now - at < DAY else f"{text[:10]} {text[11:16]}"
    return Markup("since {} ({})").format(_time(at, f"{clock} UTC"), duration(now - at))


def _time(at: int, text: str) -> Markup:
    exactly = format_instant(at // SECOND * SECOND)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exactly, text)


def duration(microseconds: int) -> str:
    """In its largest unit, rounded down: `3 min`."""
    for length, unit in _UNITS:
        if microseconds >= length:
            return f"{microseconds // length} {unit}"
    return "0 s"


def number(value: float) -> str:
    """With separators: `12,345`."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """Of a share from 0 to 1; it is 100 % only when it is all."""
    return f"{int(share * 100)} %"


def measured(value: float, unit: str) -> str:
    """What a rule of alerts has found, or its threshold, in the rule's unit: one that is a little greater looks so."""
    if unit == "share":
        return f"{round(value * 100, 2):g} %"
    if unit != "seconds":
        return f"{round(value, 2):,g} {unit}"
    length, name = next(((length, name) for length, name in _UNITS if value * SECOND >= length), _UNITS[-1])
    return f"{round(value * SECOND / length, 1):,g} {name}"


def sentence(text: str) -> str:
    """With a capital letter at its beginning, unless it begins with the name of a host, and a full stop at its end."""
    named = "." in text.partition(" ")[0].rstrip(".:")
    return (text if named else text[:1].upper() + text[1:]) + ("" if text.endswith((".", "!", "?")) else ".")


def pretty(value: Any) -> str:
    """JSON to be read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def beyond(alert: AlertView) -> str:
    """The threshold that its value is beyond, as `more than 5 %`; empty where anything at all is."""
    rule = RULES.get(alert.rule)
    if rule is None:
        return f"against {measured(alert.threshold, alert.unit)}"
    return limit(rule, alert.threshold)


def limit(rule: Rule, threshold: float | None = None) -> str:
    """The same of a rule, with its own threshold unless there is another."""
    value = rule.threshold if threshold is None else threshold
    return f"{rule.compared} {measured(value, rule.unit)}" if value or rule.below else ""


def what_to_do(rule_id: str) -> str:
    """About an alert of this rule."""
    return RULES[rule_id].what_to_do if rule_id in RULES else ""


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "beyond": beyond,
    "counted": counted,
    "duration": duration,
    "fromjson": json.loads,
    "lasting": lasting,
    "limit": limit,
    "measured": measured,
    "number": number,
    "percent": percent,
    "pretty": pretty,
    "sentence": sentence,
    "since": since,
    "what_to_do": what_to_do,
}
