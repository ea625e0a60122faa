"""Alerts: what is open, who hears of it, whether they could be told."""

from collections.abc import Iterable
from itertools import groupby

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.formats import WebhookFormat
from shared.domain.alerts.rules import RULES, Severity
from shared.domain.alerts.subscription import SubscriptionDetails
from shared.domain.problems import describe_problems
from shared.errors import ConfigurationError
from shared.services.wiring import Services
from shared.views.alerts import AlertDeliveryView, TestedView
from shared.web.console.forms import Form, Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems, by_field
from shared.web.console.thresholds import field_name, parse_thresholds, unit_of
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import SubscriptionId
from shared.web.permissions import Permission

PATH = f"{PREFIX}/alerts"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)
_SUBSCRIPTIONS = "/subscriptions"
_SHOWN = 50
_FIELDS = {"url": "url", "events": "event", "destinations": "destination", "format": "format"}


@router.get("", **_MANAGE)
async def show_alerts(services: AppServices, request: Request) -> Response:
    return await _show(services, request, Form({"event": list(RULES)}), {})


@router.post(_SUBSCRIPTIONS, **_MANAGE)
async def subscribe(services: AppServices, request: Request, form: Submitted) -> Response:
    """The page that answers has the secret; there is no other that does."""
    thresholds, problems = parse_thresholds(form, form.all("event"))
    created = None
    try:
        details = SubscriptionDetails.model_validate(
            {
                "url": form.text("url"),
                "events": form.all("event"),
                "destinations": form.all("destination") or None,
                "thresholds": thresholds,
                "format": form.text("format") or WebhookFormat.CLOUDEVENT,
            }
        )
        if not problems:
            created = await services.alert_subscriptions.create(details)
    except ValidationError as error:
        problems |= by_field(describe_problems(error), _FIELDS)
    except ConfigurationError as error:
        problems |= by_field(str(error).splitlines(), _FIELDS)
    if created is None:
        return await _show(services, request, form, problems, status=422)
    note(request, f"subscription {created.subscription.id} created")
    return render(
        request, "subscribed.html", status=201, subscription=created.subscription, secret=created.secret, rules=RULES
    )


@router.post(_SUBSCRIPTIONS + "/{subscription_id}/test", **_MANAGE)
async def test_subscription(services: AppServices, request: Request, subscription_id: SubscriptionId) -> Response:
    tested = TestedView.of(await services.alert_subscriptions.test(subscription_id))
    note(request, tested.summary)
    return await _show(services, request, Form({"event": list(RULES)}), {}, tested=(subscription_id, tested))


@router.get(_SUBSCRIPTIONS + "/{subscription_id}/remove", **_MANAGE)
async def confirm_removal(services: AppServices, request: Request, subscription_id: SubscriptionId) -> Response:
    subscription = await services.alert_subscriptions.get(subscription_id)
    return render(request, "confirm_unsubscribe.html", subscription=subscription)


@router.post(_SUBSCRIPTIONS + "/{subscription_id}/remove", **_MANAGE)
async def remove(services: AppServices, request: Request, subscription_id: SubscriptionId) -> Response:
    await services.alert_subscriptions.delete(subscription_id)
    return redirect(PATH, "unsubscribed")


async def open_alerts(services: Services, destination_id: str | None = None) -> list[AlertView]:
    """Those that are open, the latest first: of one destination, or of all. Raises StorageError."""
    return [
        AlertView.of(alert)
        for alert in await services.evaluate_alerts.alerts()
        if not alert.resolved_at and destination_id in {None, alert.destination_id}
    ]


def _by_rule(alerts: Iterable[AlertView]) -> list[list[AlertView]]:
    """What one rule found together, the longest open first; causes before what comes of them, as the rules have it."""
    order = list(RULES)

    def place(alert: AlertView) -> tuple[bool, int, str]:
        known = order.index(alert.rule) if alert.rule in order else len(order)
        return alert.severity != Severity.CRITICAL, known, alert.rule

    ordered = sorted(alerts, key=lambda alert: (*place(alert), alert.opened_at))
    return [list(group) for _, group in groupby(ordered, place)]


async def _show(
    services: Services,
    request: Request,
    form: Form,
    problems: Problems,
    *,
    tested: tuple[str, TestedView] | None = None,
    status: int = 200,
) -> Response:
    alerts = [AlertView.of(alert) for alert in await services.evaluate_alerts.alerts()]
    deliveries = await services.evaluate_alerts.deliveries()
    subscriptions = await services.alert_subscriptions.all()
    configuration = await services.edit_configuration.load()
    return render(
        request,
        "alerts.html",
        status=status,
        open=_by_rule(alert for alert in alerts if alert.state == "open"),
        resolved=[alert for alert in alerts if alert.state == "resolved"][:_SHOWN],
        troubled=[AlertDeliveryView.model_validate(each) for each in deliveries if each.error][:_SHOWN],
        alert_of={f"{alert.id}-{state}": alert for alert in alerts for state in ("opened", "resolved")},
        subscriptions=subscriptions,
        urls={each.id: each.url for each in subscriptions},
        names={each.id: each.name for each in configuration.destinations},
        rules=RULES,
        values={
            "url": form.text("url"),
            "format": form.text("format") or WebhookFormat.CLOUDEVENT,
            "event": form.all("event"),
            "destination": form.all("destination"),
            "thresholds": [(rule, field_name(rule.id), form.text(field_name(rule.id))) for rule in RULES.values()],
        },
        unit_of=unit_of,
        problems=problems,
        tested=tested,
        keeps_keys=services.connect_destinations.keeps_keys,
        now=services.clock(),
    )
