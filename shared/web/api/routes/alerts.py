"""Alerts, and who hears of them."""

from fastapi import APIRouter, Request, Response

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.rules import RULES
from shared.views.alerts import (
    AlertDeliveryView,
    AlertList,
    AlertSubscriptionList,
    AlertSubscriptionResource,
    CreatedAlertSubscription,
    RuleView,
    TestedView,
)
from shared.web.context import AppServices
from shared.web.etags import if_matching, tagged
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.parameters import SubscriptionId
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api", tags=["alerts"], route_class=GuardedRoute)

_MANAGE = needs(Permission.MANAGE_DESTINATIONS)
_CHANGE = needs(Permission.MANAGE_DESTINATIONS, preconditions=True)
_SUBSCRIPTIONS = "/alert-subscriptions"
_SHOWN_DELIVERIES = 200


@router.get("/alerts", summary="List alerts that are open, and those of the last 30 days", openapi_extra=_MANAGE)
async def list_alerts(services: AppServices) -> AlertList:
    """The latest of each destination, rule and threshold; the latest deliveries; the rules."""
    alerts = await services.evaluate_alerts.alerts()
    deliveries = await services.evaluate_alerts.deliveries()
    return AlertList(
        alerts=[AlertView.of(each) for each in alerts],
        deliveries=[AlertDeliveryView.model_validate(each) for each in deliveries[:_SHOWN_DELIVERIES]],
        rules=[RuleView.model_validate(rule) for rule in RULES.values()],
    )


@router.get(_SUBSCRIPTIONS, summary="List the subscriptions to alerts", openapi_extra=_MANAGE)
async def list_alert_subscriptions(services: AppServices) -> AlertSubscriptionList:
    subscriptions = await services.alert_subscriptions.all()
    return AlertSubscriptionList(subscriptions=[AlertSubscriptionResource.of(each) for each in subscriptions])


@router.post(_SUBSCRIPTIONS, summary="Subscribe to alerts", status_code=201, openapi_extra=_MANAGE)
async def create_alert_subscription(
    services: AppServices, request: Request, response: Response, written: AlertSubscriptionResource
) -> CreatedAlertSubscription:
    """The answer has the secret that events are signed with, which is not told again. What is open already is not told
    of.
    """
    if written.id:
        raise ProblemError(422, "/id: expected none: the app gives one")
    created = await services.alert_subscriptions.create(written.details)
    note(request, f"subscription {created.subscription.id} created")
    tagged(response, created.subscription)
    response.headers["Location"] = f"/api{_SUBSCRIPTIONS}/{created.subscription.id}"
    return CreatedAlertSubscription.of(created)


@router.get(_SUBSCRIPTIONS + "/{subscription_id}", summary="Get a subscription to alerts", openapi_extra=_MANAGE)
async def get_alert_subscription(
    services: AppServices, response: Response, subscription_id: SubscriptionId
) -> AlertSubscriptionResource:
    subscription = await services.alert_subscriptions.get(subscription_id)
    tagged(response, subscription)
    return AlertSubscriptionResource.of(subscription)


@router.put(_SUBSCRIPTIONS + "/{subscription_id}", summary="Change a subscription to alerts", openapi_extra=_CHANGE)
async def put_alert_subscription(
    services: AppServices,
    request: Request,
    response: Response,
    subscription_id: SubscriptionId,
    written: AlertSubscriptionResource,
) -> AlertSubscriptionResource:
    """Its secret stays. An alert that opened by another threshold is over for it: it hears of no end."""
    if written.id not in {"", subscription_id}:
        raise ProblemError(422, "/id: expected the id in the path, or none")
    changed = await services.alert_subscriptions.change(subscription_id, written.details, if_matching(request))
    tagged(response, changed)
    return AlertSubscriptionResource.of(changed)


@router.delete(
    _SUBSCRIPTIONS + "/{subscription_id}",
    summary="Remove a subscription to alerts",
    status_code=204,
    openapi_extra=_CHANGE,
)
async def delete_alert_subscription(services: AppServices, request: Request, subscription_id: SubscriptionId) -> None:
    """With its secret; what waits to be delivered is given up."""
    await services.alert_subscriptions.delete(subscription_id, if_matching(request))


@router.post(_SUBSCRIPTIONS + "/{subscription_id}/test", summary="Send a test event", openapi_extra=_MANAGE)
async def test_alert_subscription(
    services: AppServices, request: Request, subscription_id: SubscriptionId
) -> TestedView:
    """At once and once only; the answer says what the receiver answered."""
    tested = TestedView.of(await services.alert_subscriptions.test(subscription_id))
    note(request, tested.summary)
    return tested
