"""Alerts, and who hears of them."""

from typing import Literal

from pydantic import Field

from shared.domain.alerts.alert import AlertView
from shared.domain.alerts.rule import Severity
from shared.domain.alerts.subscription import AlertSubscription, SubscriptionDetails
from shared.ports.alerts import WebhookAnswer
from shared.services.alerts.subscriptions import CreatedSubscription
from shared.views.view import InstantOrNone, TextOrNone, View


class RuleView(View):
    id: str
    severity: Severity
    description: str
    what_to_do: str
    unit: str
    below: bool = Field(description="Whether it fires below its threshold, and not above")
    threshold: float = Field(
        description="The greatest value that is no alert, or the least where it fires below, unless a subscription "
        "says another"
    )


class AlertDeliveryView(View):
    event_id: str
    subscription_id: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    last_attempt_at: InstantOrNone
    error: TextOrNone


class AlertList(View):
    """Open alerts first, then the latest resolved; the latest deliveries first."""

    alerts: list[AlertView]
    deliveries: list[AlertDeliveryView]
    rules: list[RuleView]


class AlertSubscriptionResource(SubscriptionDetails):
    """A subscription; its secret is not told."""

    id: str = Field(default="", description="Given by the app", json_schema_extra={"readOnly": True})

    @classmethod
    def of(cls, subscription: AlertSubscription) -> "AlertSubscriptionResource":
        return cls(**subscription.model_dump())

    @property
    def details(self) -> SubscriptionDetails:
        return SubscriptionDetails(**self.model_dump(exclude={"id"}))


class AlertSubscriptionList(View):
    subscriptions: list[AlertSubscriptionResource]


class CreatedAlertSubscription(View):
    subscription: AlertSubscriptionResource
    secret: str = Field(description="What events are signed with: keep it, for it is not told again")

    @classmethod
    def of(cls, created: CreatedSubscription) -> "CreatedAlertSubscription":
        return cls(subscription=AlertSubscriptionResource.of(created.subscription), secret=created.secret)


class TestedView(View):
    """What the receiver answered to a test event."""

    delivered: bool
    status: int | None = Field(description="Of its answer; null where there was none")
    problem: str | None

    @classmethod
    def of(cls, answer: WebhookAnswer) -> "TestedView":
        return cls(delivered=answer.problem is None, status=answer.status, problem=answer.problem)

    @property
    def summary(self) -> str:
        return "delivered" if self.delivered else f"not delivered: {self.problem}"
