"""What a change of the configuration takes away from what a destination's consumers read."""

from collections.abc import Iterator

from shared.domain.configuration.model import Configuration, Dataflow, Destination
from shared.domain.configuration.paths import EXPORT_METADATA, format_path, parse_path
from shared.domain.profile.attributes import Path


def removals(before: Configuration, after: Configuration) -> list[str]:
    """A line for each thing that consumers can read before and not after."""
    flows = {dataflow.id: dataflow for dataflow in before.dataflows}
    kept = {destination.id: destination for destination in after.destinations}
    left = {dataflow.id: dataflow for dataflow in after.dataflows}
    lines: list[str] = []
    for destination in before.destinations:
        flow = flows.get(destination.id)
        untouched = kept.get(destination.id) is destination and left.get(destination.id) is flow
        if flow is None or untouched:
            continue
        if destination.id in kept and destination.id in left:
            removed = _removed((destination, flow), (kept[destination.id], left[destination.id]))
        else:
            removed = iter(["everything"])
        lines += [f"removes {each} from what {destination.id}'s consumers read" for each in removed]
    return lines


def removed_attributes(destination: Destination, before: Dataflow, after: Dataflow) -> list[str]:
    """The paths that the destination's consumers could read by the one dataflow and cannot by the other."""
    return list(_attributes(_read(destination, before), _read(destination, after)))


_Look = tuple[Destination, Dataflow]


def _removed(before: _Look, after: _Look) -> Iterator[str]:
    (old, old_flow), (new, new_flow) = before, after
    if old.event_hub_name != new.event_hub_name:
        yield f"all that is exported from now on, which goes to the hub {new.event_hub_name},"
    yield from _attributes(_read(old, old_flow), _read(new, new_flow))
    still = {audience.key for audience in new_flow.audiences}
    yield from (f"the audience {'/'.join(each.key)}" for each in old_flow.audiences if each.key not in still)
    if new.only_mapped_audiences and not old.only_mapped_audiences:
        yield "audiences that are not mapped"
    if old.include_segment_names and not new.include_segment_names:
        yield "names of audiences"
    if old.include_segment_timestamps and not new.include_segment_timestamps:
        yield "times of audiences"
    yield from _identities(old.identity_namespaces, new.identity_namespaces)
    if old.include_export_metadata and not new.include_export_metadata:
        yield EXPORT_METADATA
    for name, value in old.static_properties.items():
        if new.static_properties.get(name) != value:
            yield f"the property {name} = {value}"
    if old.keyed and not new.keyed:
        yield "keys of events"
    if old.settle and not new.settle:
        yield "the promise that a profile's last event is its greatest version"


def _read(destination: Destination, dataflow: Dataflow) -> list[Path]:
    """The mapped attributes that exports have."""
    paths = [parse_path(attribute) for attribute in dataflow.attributes]
    return [path for path in paths if not (destination.include_export_metadata and path[0] == EXPORT_METADATA)]


def _attributes(before: list[Path], after: list[Path]) -> Iterator[str]:
    for path in before:
        if any(path[: len(each)] == each for each in after):
            continue
        below = [format_path(each) for each in after if each[: len(path)] == path]
        yield f"{format_path(path)} but for {', '.join(below)}" if below else format_path(path)


def _identities(before: list[str] | None, after: list[str] | None) -> Iterator[str]:
    if after is None:
        return
    if before is None:
        yield f"identities of all namespaces but {', '.join(after)}" if after else "all identities"
        return
    yield from (f"identities of {each}" for each in before if each not in after)
