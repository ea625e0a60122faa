"""Alerts: what is open, what is over, and of what somebody could not be told."""

from collections.abc import Iterable
from itertools import groupby

from fastapi import APIRouter, Request, Response

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.rule import Severity
from shared.domain.alerts.rules import RULES
from shared.services.wiring import Services
from shared.views.alerts import AlertDeliveryView
from shared.web.console.pages import PREFIX, PageRoute, page, render
from shared.web.context import AppServices
from shared.web.permissions import Permission

PATH = f"{PREFIX}/alerts"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_SHOWN = 50


@router.get("", **page(Permission.MANAGE_DESTINATIONS))
async def show_alerts(services: AppServices, request: Request) -> Response:
    alerts = [AlertView.of(alert) for alert in await services.evaluate_alerts.alerts()]
    deliveries = await services.evaluate_alerts.deliveries()
    subscriptions = await services.alert_subscriptions.all()
    configuration = await services.edit_configuration.load()
    return render(
        request,
        "alerts.html",
        tab="",
        open=_by_rule(alert for alert in alerts if alert.state == "open"),
        resolved=[alert for alert in alerts if alert.state == "resolved"][:_SHOWN],
        troubled=[AlertDeliveryView.model_validate(each) for each in deliveries if each.error][:_SHOWN],
        alert_of={f"{alert.id}-{state}": alert for alert in alerts for state in ("opened", "resolved")},
        subscriptions=subscriptions,
        urls={each.id: each.url for each in subscriptions},
        names={each.id: each.name for each in configuration.destinations},
        now=services.clock(),
    )


async def open_alerts(services: Services, destination_id: str | None = None) -> list[AlertView]:
    """Those that are open, causes first: of one destination, or of all. Raises StorageError."""
    found = [
        AlertView.of(alert)
        for alert in await services.evaluate_alerts.alerts()
        if not alert.resolved_at and destination_id in {None, alert.destination_id}
    ]
    return sorted(found, key=_place)


_ORDER = list(RULES)


def _place(alert: AlertView) -> tuple[bool, int, str, str]:
    """What is critical first, then causes before what comes of them, as the rules have it, then the longest open."""
    known = _ORDER.index(alert.rule) if alert.rule in RULES else len(_ORDER)
    return alert.severity != Severity.CRITICAL, known, alert.rule, alert.opened_at


def _by_rule(alerts: Iterable[AlertView]) -> list[list[AlertView]]:
    """What one rule found together."""
    return [list(group) for _, group in groupby(sorted(alerts, key=_place), key=lambda alert: alert.rule)]
