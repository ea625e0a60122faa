"""From the configuration there is and a declarative file to the configuration there will be, and what that changes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.domain.configuration import schedules, shadows
from shared.domain.configuration.backfill_requests import plan_backfills
from shared.domain.configuration.model import (
    ATTRIBUTES_PER_DATAFLOW,
    AUDIENCES_PER_DATAFLOW,
    DESTINATIONS,
    Audience,
    Configuration,
    ConfigurationFile,
    Dataflow,
    Destination,
    Entry,
    MappedAudience,
    RequestedBackfill,
)
from shared.domain.configuration.paths import EXPORT_METADATA, parse_path
from shared.domain.configuration.removals import removals
from shared.domain.profile.memberships import AudienceKey
from shared.domain.url_paths import why_no_segment
from shared.errors import ConfigurationError

Action = Literal["created", "changed", "unchanged", "removed", "kept, not in the file"]
CHANGING: frozenset[Action] = frozenset({"created", "changed", "removed"})


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """`kind` is audience, destination or dataflow."""

    kind: str
    id: str
    action: Action


@dataclass(slots=True)
class Plan:
    """`configuration` is what there will be; it equals what there was where nothing changes.

    `backfills` are those that the changes call for; they are requested in `configuration`, too. `removals`: what
    consumers of destinations can read no more.
    """

    configuration: Configuration
    changes: list[PlannedChange] = field(default_factory=list)
    backfills: list[RequestedBackfill] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    removals: list[str] = field(default_factory=list)

    @property
    def changes_something(self) -> bool:
        return any(change.action in CHANGING for change in self.changes)

    @property
    def creates_something(self) -> bool:
        return any(change.action == "created" for change in self.changes)

    @property
    def summary(self) -> list[str]:
        """What changes, a line each."""
        changes = [change for change in self.changes if change.action in CHANGING]
        return [f"{change.kind} {change.id} {change.action}" for change in changes] + [
            f"backfill {backfill.id} requested" for backfill in self.backfills
        ]


def plan_changes(current: Configuration, wanted: ConfigurationFile, now_ms: int, *, prune: bool = False) -> Plan:
    """What applying `wanted` at `now_ms` (epoch milliseconds) makes of `current`.

    Entries that the file does not name stay, unless `prune`. Applying the same file again changes nothing. Raises
    ConfigurationError where a dataflow has no destination.
    """
    changes: list[PlannedChange] = []
    catalog = {audience.key: audience for audience in current.audiences}
    dated = [dated_audience(audience, catalog.get(audience.key), now_ms) for audience in wanted.audiences]
    mapped = [_mapped(dataflow, current, now_ms) for dataflow in wanted.dataflows]
    audiences = _merged("audience", current.audiences, dated, changes, prune)
    destinations = _merged("destination", current.destinations, wanted.destinations, changes, prune)
    dataflows = _merged("dataflow", current.dataflows, mapped, changes, prune)
    known = {destination.id for destination in destinations}
    for index, dataflow in enumerate(wanted.dataflows):
        if dataflow.id not in known:
            raise ConfigurationError(
                f"/dataflows/{index}/id: expected the id of a destination, got {dataflow.id!r}; "
                f"there are {', '.join(sorted(known)) or 'none'}"
            )
    planned = Plan(current, changes)
    if planned.changes_something:
        planned.configuration = Configuration(
            revision=current.revision + 1, audiences=audiences, destinations=destinations, dataflows=dataflows
        )
        planned.configuration.revisions = _revisions(current, planned.configuration)
        planned.configuration.shadows = shadows.left_after(current, planned.configuration)
        planned.backfills = plan_backfills(current, planned.configuration, now_ms)
        planned.removals = removals(current, planned.configuration)
    planned.warnings = warnings_about(planned.configuration) + schedules.stale_schedules(planned.configuration, now_ms)
    return planned


def identity_of(entry: Audience | Destination | Dataflow) -> tuple[str, ...]:
    """What tells the entry from others of its kind."""
    return entry.key if isinstance(entry, Audience) else (entry.id,)


def _merged(
    kind: str, current: list[Entry], wanted: list[Entry], changes: list[PlannedChange], prune: bool
) -> list[Entry]:
    """The entries there will be; what happens to each is added to `changes`."""
    before = {identity_of(entry): entry for entry in current}
    named = {identity_of(entry): entry for entry in wanted}
    for identity, entry in named.items():
        there = before.get(identity)
        action: Action = "created" if there is None else "unchanged" if there == entry else "changed"
        changes.append(PlannedChange(kind, "/".join(identity), action))
    absent = [identity for identity in before if identity not in named]
    changes += [
        PlannedChange(kind, "/".join(identity), "removed" if prune else "kept, not in the file") for identity in absent
    ]
    return list((named if prune else before | named).values())


def dated_audience(wanted: Audience, before: Audience | None, now_ms: int) -> Audience:
    """`wanted` with its times: as given, else as they were, else now; a changed entry was updated now."""
    created_at = _first(wanted.created_at, before.created_at if before else None, now_ms)
    same = before is not None and (before.name, before.merge_policy_id, before.origin) == (
        wanted.name,
        wanted.merge_policy_id,
        wanted.origin,
    )
    updated_at = _first(wanted.updated_at, before.updated_at if before and same else None, now_ms)
    return wanted.model_copy(update={"created_at": created_at, "updated_at": updated_at})


def _first(*times: int | None) -> int | None:
    return next((time for time in times if time is not None), None)


def _mapped(wanted: Dataflow, current: Configuration, now_ms: int) -> Dataflow:
    """`wanted` with the times of its mapped audiences: as given, else as they were, else now.

    One whose schedule does not have it count as mapped has none: when its time comes, it is mapped then.
    """
    before = next((dataflow for dataflow in current.dataflows if dataflow.id == wanted.id), None)
    mapped = {audience.key: audience for audience in before.audiences} if before else {}

    def dated(audience: MappedAudience) -> MappedAudience:
        if not audience.active_at(now_ms):
            return audience.model_copy(update={"mapping_created_at": None, "mapping_updated_at": None})
        earlier = mapped.get(audience.key, audience)
        created_at = _first(audience.mapping_created_at, earlier.mapping_created_at, now_ms)
        updated_at = _first(audience.mapping_updated_at, earlier.mapping_updated_at, created_at)
        return audience.model_copy(update={"mapping_created_at": created_at, "mapping_updated_at": updated_at})

    return wanted.model_copy(update={"audiences": [dated(audience) for audience in wanted.audiences]})


def _revisions(before: Configuration, after: Configuration) -> dict[str, int]:
    """A destination's revision stays while nothing that its exports are made from changed."""
    old, new = _looks(before), _looks(after)
    return {
        destination_id: before.revisions[destination_id] if old.get(destination_id) == look else after.revision
        for destination_id, look in new.items()
    }


def _looks(configuration: Configuration) -> dict[str, Any]:
    """All that the choice and the bodies of each destination's exports depend on, besides the profile."""
    by_policy: dict[str | None, list[Audience]] = {}
    catalog: dict[AudienceKey, Audience] = {}
    for audience in configuration.audiences:
        catalog[audience.key] = audience
        by_policy.setdefault(audience.merge_policy_id, []).append(audience)
    dataflows = {dataflow.id: dataflow for dataflow in configuration.dataflows}
    looks = {}
    for destination in configuration.destinations:
        dataflow = dataflows.get(destination.id)
        mapped = [audience.key for audience in dataflow.active_audiences] if dataflow else []
        shown = [] if destination.only_mapped_audiences else mapped
        policies = {catalog[key].merge_policy_id for key in shown if key in catalog} - {None}
        visible = {audience.key: audience for policy in policies for audience in by_policy[policy]}
        visible |= {key: catalog[key] for key in mapped if key in catalog}
        namespaces = destination.identity_namespaces
        details = (
            destination.include_segment_names,
            destination.include_segment_timestamps,
            destination.only_mapped_audiences,
            None if namespaces is None else frozenset(namespaces),
            destination.include_export_metadata,
            destination.static_properties,
            destination.keyed,
        )
        looks[destination.id] = (details, dataflow, visible)
    return looks


def require_named(current: Configuration, wanted: ConfigurationFile) -> ConfigurationFile:
    """`wanted`, if a path of the API can name each audience that is new in it.

    Raises ConfigurationError. What is there already stays, with a warning: upstream may name audiences as it likes.
    """
    known = {audience.key for audience in current.audiences}
    problems = [
        f"/audiences/{index}/id: expected an id that a path of the API can name: {why}"
        for index, audience in enumerate(wanted.audiences)
        if audience.key not in known and (why := why_no_segment(audience.id, audience.namespace))
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return wanted


def warnings_about_names(audiences: Iterable[Audience]) -> list[str]:
    """Of the catalog's `audiences`, those that no path of the API can name."""
    return [
        f"audience {'/'.join(audience.key)}: no path of the API can name it ({why}), only a file of the configuration"
        for audience in audiences
        if (why := why_no_segment(audience.id, audience.namespace))
    ]


def warnings_about(configuration: Configuration) -> list[str]:
    """What is accepted but probably not meant, or too large (docs/rules.md, "What the app is sized for")."""
    warnings = warnings_about_names(configuration.audiences)
    if len(configuration.destinations) > DESTINATIONS:
        warnings.append(f"{len(configuration.destinations)} destinations: the app is sized for {DESTINATIONS}")
    activated = {dataflow.id for dataflow in configuration.dataflows}
    warnings += [
        f"destination {destination.id}: has no dataflow, so nothing is exported to it"
        for destination in configuration.destinations
        if destination.id not in activated
    ]
    catalog = {audience.key for audience in configuration.audiences}
    return warnings + [
        warning for dataflow in configuration.dataflows for warning in _warnings_of(configuration, dataflow, catalog)
    ]


def warnings_of(configuration: Configuration, dataflow: Dataflow) -> list[str]:
    """The same for one of its dataflows."""
    return _warnings_of(configuration, dataflow, {audience.key for audience in configuration.audiences})


def _warnings_of(configuration: Configuration, dataflow: Dataflow, catalog: set[AudienceKey]) -> list[str]:
    where = f"dataflow {dataflow.id}"
    warnings = []
    if len(dataflow.audiences) > AUDIENCES_PER_DATAFLOW:
        warnings.append(f"{where}: {len(dataflow.audiences)} audiences; the app is sized for {AUDIENCES_PER_DATAFLOW}")
    if len(dataflow.attributes) > ATTRIBUTES_PER_DATAFLOW:
        warnings.append(
            f"{where}: {len(dataflow.attributes)} attributes; the app is sized for {ATTRIBUTES_PER_DATAFLOW}"
        )
    destination = next((each for each in configuration.destinations if each.id == dataflow.id), None)
    if destination is not None and destination.include_export_metadata:
        taken = [text for text in dataflow.attributes if parse_path(text)[0] == EXPORT_METADATA]
        warnings += [
            f"{where}: {text} is not exported, for each body has a member of this name already" for text in taken
        ]
    if not dataflow.audiences:
        warnings.append(f"{where}: maps no audience, so nothing is exported")
    unknown = sorted("/".join(audience.key) for audience in dataflow.audiences if audience.key not in catalog)
    if unknown:
        warnings.append(f"{where}: maps audiences that are not in the catalog: {', '.join(unknown)}")
    return warnings
