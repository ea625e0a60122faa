"""Who is told of alerts: webhooks subscribed, tried, removed."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from shared.domain.alerts.formats import WebhookFormat
from shared.domain.alerts.rules import RULES
from shared.domain.alerts.subscription import SubscriptionDetails
from shared.errors import ConfigurationError
from shared.services.wiring import Services
from shared.views.alerts import TestedView
from shared.web.console.forms import Form, Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems, problems_of
from shared.web.console.thresholds import field_name, parse_thresholds, unit_of
from shared.web.context import AppServices
from shared.web.guarded import note
from shared.web.parameters import SubscriptionId
from shared.web.permissions import Permission

PATH = f"{PREFIX}/alerts/subscriptions"
router = APIRouter(prefix=PATH, route_class=PageRoute)

_MANAGE = page(Permission.MANAGE_DESTINATIONS)
_FIELDS = {"url": "url", "events": "event", "destinations": "destination", "format": "format"}


@router.get("", **_MANAGE)
async def show_subscriptions(services: AppServices, request: Request) -> Response:
    return await _show(services, request, Form({"event": list(RULES)}), Problems())


@router.post("", **_MANAGE)
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
    except (ValidationError, ConfigurationError) as error:
        problems.merge(problems_of(error, _FIELDS))
    if created is None:
        return await _show(services, request, form, problems)
    note(request, f"subscription {created.subscription.id} created")
    return render(
        request, "subscribed.html", status=201, subscription=created.subscription, secret=created.secret, rules=RULES
    )


@router.post("/{subscription_id}/test", **_MANAGE)
async def test_subscription(services: AppServices, request: Request, subscription_id: SubscriptionId) -> Response:
    tested = TestedView.of(await services.alert_subscriptions.test(subscription_id))
    note(request, tested.summary)
    return await _show(services, request, Form({"event": list(RULES)}), Problems(), tested=(subscription_id, tested))


@router.get("/{subscription_id}/remove", **_MANAGE)
async def confirm_removal(services: AppServices, request: Request, subscription_id: SubscriptionId) -> Response:
    subscription = await services.alert_subscriptions.get(subscription_id)
    return render(request, "confirm_unsubscribe.html", subscription=subscription)


@router.post("/{subscription_id}/remove", **_MANAGE)
async def remove(services: AppServices, request: Request, subscription_id: SubscriptionId) -> Response:
    await services.alert_subscriptions.delete(subscription_id)
    return redirect(PATH, "unsubscribed")


async def _show(
    services: Services,
    request: Request,
    form: Form,
    problems: Problems,
    *,
    tested: tuple[str, TestedView] | None = None,
) -> Response:
    subscriptions = await services.alert_subscriptions.all()
    configuration = await services.edit_configuration.load()
    return render(
        request,
        "subscriptions.html",
        status=problems.status if problems else 200,
        tab="/subscriptions",
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
    )
