"""Candidates of dataflows: which is decided on with what, and which are left after a change of the configuration."""

from typing import Any

from pydantic import BaseModel

from shared.domain.configuration.model import Configuration, Dataflow, MappedAudience, Shadow

HOUR_MS = 3_600_000
SHORTEST_HOURS, LONGEST_HOURS, USUAL_HOURS = 1, 7 * 24, 24


class Tried(BaseModel):
    """A shadow and the live mapping that it is tried beside: what somebody who decides on it has seen."""

    shadow: Shadow
    live: Dataflow

    @property
    def made_live(self) -> Dataflow:
        """The candidate as the live mapping; whether that is paused stays as it is."""
        return self.shadow.candidate.model_copy(update={"enabled": self.live.enabled})

    @classmethod
    def of(cls, configuration: Configuration, destination_id: str) -> "Tried | None":
        """None where nothing is tried. Raises NotConfiguredError where the destination has no dataflow."""
        live = configuration.dataflow(destination_id)
        shadow = configuration.shadow(destination_id)
        return cls(shadow=shadow, live=live) if shadow else None


def begun(configuration: Configuration, candidate: Dataflow, now_ms: int, hours: int) -> Configuration:
    """With a shadow of `candidate`, in place of the one that its dataflow may have."""
    shadow = Shadow(
        candidate=candidate,
        started_at=now_ms,
        ends_at=now_ms + hours * HOUR_MS,
        revision=configuration.revision + 1,
        live_revision=configuration.revisions.get(candidate.id, 0),
    )
    others = without(configuration, candidate.id)
    return others.model_copy(update={"shadows": [*others.shadows, shadow]})


def without(configuration: Configuration, destination_id: str) -> Configuration:
    """Without the shadow of the destination's dataflow; the next revision of it."""
    left = [shadow for shadow in configuration.shadows if shadow.id != destination_id]
    return configuration.model_copy(update={"shadows": left, "revision": configuration.revision + 1})


def same_mapping(one: Dataflow, other: Dataflow) -> bool:
    """Whether both map and decide alike, whatever their mapping times and whether one is paused."""
    return _mapping(one) == _mapping(other)


def _mapping(dataflow: Dataflow) -> tuple[Any, ...]:
    return (
        {each.key: (each.active_from, each.active_until) for each in dataflow.audiences},
        set(dataflow.attributes),
        dataflow.consent,
        dataflow.triggers,
        dataflow.skip_same_value_writes,
    )


def left_after(before: Configuration, after: Configuration) -> list[Shadow]:
    """The shadows of `before` that go on: not those whose dataflow is gone, or has become what they try."""
    was = {dataflow.id: dataflow for dataflow in before.dataflows}
    will_be = {dataflow.id: dataflow for dataflow in after.dataflows}

    def goes_on(shadow: Shadow) -> bool:
        live = will_be.get(shadow.id)
        if live is None:
            return False
        return live == was.get(shadow.id) or not same_mapping(live, shadow.candidate)

    return [shadow for shadow in before.shadows if goes_on(shadow)]


def as_if_live(shadow: Shadow, live: Dataflow) -> Dataflow:
    """The candidate as it would be, had it been saved when the shadow began; never paused.

    An audience that the live mapping has on the same schedule counts as it does there; another scheduled one as it did
    when the shadow began.
    """
    mapped = {audience.key: audience for audience in live.audiences}

    def dated(audience: MappedAudience) -> MappedAudience:
        there = mapped.get(audience.key)
        if there is not None and (there.active_from, there.active_until) == (
            audience.active_from,
            audience.active_until,
        ):
            return there
        if not audience.active_at(shadow.started_at):
            return audience.model_copy(update={"mapping_created_at": None, "mapping_updated_at": None})
        return audience.model_copy(
            update={"mapping_created_at": shadow.started_at, "mapping_updated_at": shadow.started_at}
        )

    audiences = [dated(audience) for audience in shadow.candidate.audiences]
    return shadow.candidate.model_copy(update={"audiences": audiences, "enabled": True})
