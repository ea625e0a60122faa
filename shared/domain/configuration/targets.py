"""The configuration made ready for the hot path: who cares for which audience and which attribute."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from shared.domain.configuration.model import Audience, Configuration, Dataflow, Destination, MappedAudience
from shared.domain.configuration.paths import EXPORT_METADATA, PathIndex, mask_of, parse_path
from shared.domain.configuration.shadows import as_if_live
from shared.domain.instants import MILLISECOND
from shared.domain.profile.attributes import Mask, Path
from shared.domain.profile.memberships import AudienceKey


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A destination with its dataflow. `revision` is the configRevision of its exports.

    `merge_policies` are those of the mapped audiences, `shown_policies` those whose unmapped audiences exports tell of,
    too. `identity_namespaces`: which of the identity map are exported, None for all.
    """

    destination: Destination
    dataflow: Dataflow
    revision: int
    mapped: dict[AudienceKey, MappedAudience]
    merge_policies: frozenset[str]
    shown_policies: frozenset[str]
    mask: Mask
    consent: Path | None
    identity_namespaces: frozenset[str] | None

    @property
    def id(self) -> str:
        return self.destination.id

    def exports_identities(self, namespace: str) -> bool:
        """Whether exports hold the identities of `namespace`."""
        return self.identity_namespaces is None or namespace in self.identity_namespaces


@dataclass(slots=True)
class Targets:
    """Every destination with a dataflow, indexed by what it maps and by the consent it asks for.

    `revision` is the configuration's. `inactive` are the ids of the destinations without a dataflow. `shadows`: the
    candidates that are decided on beside them, None where there are none.
    """

    revision: int = 0
    catalog: dict[AudienceKey, Audience] = field(default_factory=dict)
    by_id: dict[str, Target] = field(default_factory=dict)
    by_audience: dict[AudienceKey, list[Target]] = field(default_factory=dict)
    by_attribute: PathIndex[Target] = field(default_factory=PathIndex)
    by_consent: PathIndex[Target] = field(default_factory=PathIndex)
    inactive: list[str] = field(default_factory=list)
    shadows: "Shadows | None" = None

    @classmethod
    def of(cls, configuration: Configuration) -> "Targets":
        catalog = {audience.key: audience for audience in configuration.audiences}
        targets = cls(revision=configuration.revision, catalog=catalog)
        destinations = {destination.id: destination for destination in configuration.destinations}
        for dataflow in configuration.dataflows:
            if dataflow.id in destinations:
                targets._add(destinations[dataflow.id], dataflow, configuration.revisions.get(dataflow.id, 0))
        targets.inactive = [destination_id for destination_id in destinations if destination_id not in targets.by_id]
        if configuration.shadows:
            targets.shadows = Shadows.of(configuration, targets)
        return targets

    def _add(self, destination: Destination, dataflow: Dataflow, revision: int) -> None:
        mapped = {audience.key: audience for audience in dataflow.active_audiences}
        policies = (self.catalog[key].merge_policy_id for key in mapped if key in self.catalog)
        merge_policies = frozenset(policy for policy in policies if policy)
        namespaces = destination.identity_namespaces
        paths = [parse_path(attribute) for attribute in dataflow.attributes]
        if destination.include_export_metadata:
            paths = [path for path in paths if path[0] != EXPORT_METADATA]
        target = Target(
            destination=destination,
            dataflow=dataflow,
            revision=revision,
            mapped=mapped,
            merge_policies=merge_policies,
            shown_policies=frozenset() if destination.only_mapped_audiences else merge_policies,
            mask=mask_of(paths),
            consent=parse_path(dataflow.consent) if dataflow.consent is not None else None,
            identity_namespaces=None if namespaces is None else frozenset(namespaces),
        )
        self.by_id[target.id] = target
        for key in mapped:
            self.by_audience.setdefault(key, []).append(target)
        for path in paths:
            self.by_attribute.add(path, target)
        if target.consent is not None:
            self.by_consent.add(target.consent, target)

    def mapping_any(self, audiences: Iterable[AudienceKey]) -> dict[str, Target]:
        """The targets that map at least one of `audiences`, by id."""
        return {target.id: target for key in audiences for target in self.by_audience.get(key, ())}


@dataclass(frozen=True, slots=True)
class Shadows:
    """Candidates as targets of their own: nothing that sends looks at them. A target's `revision` is its shadow's.

    `ends`: target id -> when nothing of it is counted any more, in microseconds; `until`: the last of these. `alike`:
    those whose exports have the very bodies that the live mapping gives them.
    """

    targets: Targets
    ends: dict[str, int]
    until: int
    alike: frozenset[str]

    @classmethod
    def of(cls, configuration: Configuration, live: Targets) -> "Shadows":
        targets = Targets(revision=configuration.revision, catalog=live.catalog)
        ends: dict[str, int] = {}
        for shadow in configuration.shadows:
            if target := live.by_id.get(shadow.id):
                targets._add(target.destination, as_if_live(shadow, target.dataflow), shadow.revision)
                ends[shadow.id] = shadow.ends_at * MILLISECOND
        alike = frozenset(each for each in ends if _look(targets.by_id[each]) == _look(live.by_id[each]))
        return cls(targets, ends, max(ends.values(), default=0), alike)


def _look(target: Target) -> tuple[Any, ...]:
    """What the bodies of its exports depend on, besides profile and destination."""
    return target.mapped, target.shown_policies, target.mask, target.consent
