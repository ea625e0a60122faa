"""Who hears of which alerts."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.formats import WebhookFormat
from shared.domain.alerts.rules import RULES
from shared.domain.configuration.model import Identifier


def _known(rules: list[str]) -> list[str]:
    if not rules or not set(rules) <= RULES.keys():
        raise ValueError(f"expected some of {', '.join(RULES)}")
    return list(dict.fromkeys(rules))


def _sensible(thresholds: dict[str, float]) -> dict[str, float]:
    for rule_id, threshold in thresholds.items():
        rule = RULES.get(rule_id)
        if rule is None:
            raise ValueError(f"expected thresholds for some of {', '.join(RULES)}")
        if not 0 <= threshold <= rule.greatest:
            raise ValueError(f"expected a threshold of {rule_id} from 0 to {rule.greatest:,g} ({rule.unit})")
    return thresholds


class SubscriptionDetails(BaseModel):
    """What a subscription is for. `events` are ids of rules; without `destinations` it is for all there are,
    and for the app as a whole.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True, strict=True)

    url: Annotated[str, Field(min_length=1, max_length=2_000, description="Where events are posted to")]
    events: Annotated[
        list[str],
        AfterValidator(_known),
        Field(default_factory=lambda: list(RULES), description="Ids of rules; all of them unless given"),
    ]
    destinations: Annotated[
        list[Identifier] | None,
        Field(default=None, description="Ids of destinations; null means all, and the app as a whole"),
    ]
    thresholds: Annotated[
        dict[str, float],
        AfterValidator(_sensible),
        Field(default_factory=dict, description="By rule, where they differ from the usual ones"),
    ]
    format: Annotated[
        WebhookFormat,
        Field(
            default=WebhookFormat.CLOUDEVENT, strict=False, description="What is posted: for programs, or for a chat"
        ),
    ]


class AlertSubscription(SubscriptionDetails):
    """A subscription as it is kept. Its secret is in the SecretStore, under `webhook_secret_name(id)`."""

    id: str

    @property
    def key(self) -> str:
        return self.id

    def threshold(self, rule_id: str) -> float:
        return float(self.thresholds.get(rule_id, RULES[rule_id].threshold))

    def covers(self, destination_id: str, rule_id: str) -> bool:
        """Whether it is for this rule and this destination."""
        return rule_id in self.events and (self.destinations is None or destination_id in self.destinations)

    def wants(self, alert: Alert) -> bool:
        """Whether it is to hear of this alert: of those by other thresholds it hears nothing."""
        return self.covers(alert.destination_id, alert.rule) and self.threshold(alert.rule) == alert.threshold


def webhook_secret_name(subscription_id: str) -> str:
    """No destination's key has such a name: their ids begin with a letter or a digit."""
    return f"profile-relay--alert-{subscription_id}"
