"""How rows are written so that release 0.1 reads them, too: while an update rolls, and after going back.

What 0.1 has no word for it is shown as something over, which it leaves alone; the whole stands beside that, in a column
that 0.1 does not read. Where that cannot be, the row is refused until no instance of 0.1 runs (docs/upgrades.md).
"""

from collections.abc import Iterator
from dataclasses import replace

from shared.domain.alerts.alert import Alert, AlertEvent
from shared.domain.alerts.subscription import AlertSubscription
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState
from shared.domain.configuration.model import Configuration
from shared.errors import ConfigurationError
from shared.settings import PREVIOUS_RELEASE, THIS_RELEASE

_RULES = ("destination-down", "dead-rows", "activation-skipped", "failure-rate", "slow-exports", "long-backfill")
_DESTINATION = {
    "onlyMappedAudiences",
    "identityNamespaces",
    "includeExportMetadata",
    "staticProperties",
    "keyed",
    "settle",
    "resyncByMessage",
    "consumerCheckpoints",
    "retentionHours",
}
_MAPPED_AUDIENCE = {"activeFrom", "activeUntil"}
_UPLOAD = {"format", "refresh", "valid_until"}


def alert_for_previous(alert: Alert) -> Alert:
    """An alert by a rule that 0.1 has not is over there: it would resolve it, and tell nobody of either."""
    if alert.rule in _RULES:
        return alert
    return alert.model_copy(
        update={"resolved_at": alert.resolved_at or alert.opened_at, "announced": AlertEvent.RESOLVED}
    )


def subscription_for_previous(subscription: AlertSubscription) -> dict[str, object]:
    """With the rules that 0.1 has, and for no destination where it has none of them."""
    document = subscription.model_dump(by_alias=True, exclude={"format"})
    events = [rule for rule in subscription.events if rule in _RULES]
    thresholds = {rule: value for rule, value in subscription.thresholds.items() if rule in _RULES}
    return document | {
        "events": events or list(_RULES),
        "destinations": subscription.destinations if events else [],
        "thresholds": thresholds,
    }


def backfill_for_previous(backfill: Backfill) -> Backfill:
    """A resync, a redrive, and an upload that is no CSV file, has ended there: 0.1 drops its pointers, which are put
    again.
    """
    unknown = backfill.kind in {BackfillKind.RESYNC, BackfillKind.REDRIVE}
    if not unknown and not (backfill.upload and _UPLOAD & backfill.upload.stored().keys()):
        return backfill
    return replace(
        backfill,
        kind=BackfillKind.BACKFILL,
        state=BackfillState.CANCELLED,
        finished_at=backfill.finished_at or backfill.requested_at,
        upload=None,
        resync=None,
    )


def refuse_for_previous(configuration: Configuration) -> None:
    """Raises ConfigurationError for what 0.1 refuses, a line for each place."""
    problems = [
        f"{place}: release {PREVIOUS_RELEASE} cannot read it, and an instance of it may still run: once none does, "
        f"set the app setting OLDEST_RELEASE to {THIS_RELEASE}"
        for place in _unread(configuration)
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))


def previous_reads(configuration: Configuration) -> bool:
    """Whether release 0.1 reads the configuration."""
    return next(_unread(configuration), None) is None


def _unread(configuration: Configuration) -> Iterator[str]:
    """The places, as in the errors of a configuration file."""
    for destination in configuration.destinations:
        for name in sorted(destination.model_dump(by_alias=True, exclude_defaults=True).keys() & _DESTINATION):
            yield f"/destinations/{destination.id}/{name}"
    for dataflow in configuration.dataflows:
        for audience in dataflow.audiences:
            for name in sorted(audience.model_dump(by_alias=True, exclude_defaults=True).keys() & _MAPPED_AUDIENCE):
                yield f"/dataflows/{dataflow.id}/audiences/{audience.id}/{name}"
