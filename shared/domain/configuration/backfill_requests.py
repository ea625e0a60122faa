"""Which backfills a change of the configuration calls for, and since when dataflows are paused."""

from collections.abc import Iterable

from shared.domain.configuration.model import AudienceReference, Configuration, Dataflow, Pause, RequestedBackfill
from shared.domain.instants import MILLISECOND, MINUTE

RESUME_OVERLAP_MS = 10 * MINUTE // MILLISECOND
"""Workers use a configuration for a while, and clocks differ: what was saved shortly before the pause counts, too."""


def plan_backfills(before: Configuration, after: Configuration, now_ms: int) -> list[RequestedBackfill]:
    """The backfills that the step from `before` to `after` calls for; `after` gets them, and the pauses there are.

    Mapping an audience, creating a dataflow or resuming one calls for a backfill; mapping an attribute does
    not (docs/rules.md, "Backfill of history"). A dataflow that is paused is backfilled when it is resumed.
    """
    earlier = {dataflow.id: dataflow for dataflow in before.dataflows}
    after.pauses = {
        dataflow.id: pause
        for dataflow in after.dataflows
        if (pause := _pause(dataflow, earlier.get(dataflow.id), before.pauses.get(dataflow.id), now_ms))
    }
    asked = (
        _backfill(dataflow, earlier.get(dataflow.id), before.pauses.get(dataflow.id), after.revision, now_ms)
        for dataflow in after.dataflows
        if dataflow.enabled and dataflow.active_audiences
    )
    backfills = [backfill for backfill in asked if backfill is not None]
    activated = {dataflow.id for dataflow in after.dataflows}
    waiting = [backfill for backfill in before.requested_backfills if backfill.destination in activated]
    after.requested_backfills = waiting + backfills
    return backfills


def _pause(dataflow: Dataflow, there: Dataflow | None, pause: Pause | None, now_ms: int) -> Pause | None:
    """The pause that `dataflow` is in; none for one that never was enabled: it has nothing to catch up on."""
    if dataflow.enabled or there is None:
        return None
    if there.enabled:
        pause = Pause(since=now_ms)
    if pause is None:
        return None
    new = {audience.key: audience for audience in (*pause.new, *_newly_mapped(dataflow, there))}
    return Pause(since=pause.since, new=list(new.values()))


def _backfill(
    dataflow: Dataflow, there: Dataflow | None, pause: Pause | None, revision: int, now_ms: int
) -> RequestedBackfill | None:
    """What an enabled dataflow has to catch up on."""
    request = RequestedBackfill(
        id=f"{dataflow.id}-{revision}", destination=dataflow.id, requested_at=now_ms, revision=revision
    )
    if there is None or (not there.enabled and pause is None):
        return request
    new = list(_newly_mapped(dataflow, there))
    if not there.enabled and pause is not None:
        new = list({audience.key: audience for audience in (*pause.new, *new)}.values())
        return request.model_copy(update={"since": pause.since - RESUME_OVERLAP_MS, "new": new})
    return request.model_copy(update={"audiences": new}) if new else None


def _newly_mapped(dataflow: Dataflow, there: Dataflow) -> Iterable[AudienceReference]:
    known = {audience.key for audience in there.active_audiences}
    return (
        AudienceReference(id=audience.id, namespace=audience.namespace)
        for audience in dataflow.active_audiences
        if audience.key not in known
    )
