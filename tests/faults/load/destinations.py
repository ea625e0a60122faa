"""The model's destination: what it must hear of, and how a profile looks to it."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from tests.faults.load.profiles import ABSENT, AudienceKey, Change, ModelProfile, Path, canonical, leaves, related


class ModelDestination:
    """A destination and its dataflow as the declarative configuration file has them; `catalog` are the audiences."""

    def __init__(
        self,
        destination: Mapping[str, Any],
        dataflow: Mapping[str, Any],
        catalog: Mapping[AudienceKey, Mapping[str, Any]],
    ) -> None:
        self.id: str = destination["id"]
        self.hub: str = destination["eventHubName"]
        self.enabled: bool = dataflow.get("enabled", True)
        self.mapped = {audience_key(entry): entry for entry in map(_as_object, dataflow.get("audiences", []))}
        self._catalog = catalog
        self._paths = [_path(text) for text in dataflow.get("attributes", [])]
        self._triggers = {"audience": True, "attribute": True, "identity": True} | dataflow.get("triggers", {})
        self._skips_same_values: bool = dataflow.get("skipSameValueWrites", False)
        self._names: bool = destination.get("includeSegmentNames", False)
        self._timestamps: bool = destination.get("includeSegmentTimestamps", False)
        self._only_mapped: bool = destination.get("onlyMappedAudiences", False)
        self._policies = {catalog[key].get("mergePolicyId") for key in self.mapped if key in catalog} - {None}

    def reasons(self, before: ModelProfile, after: ModelProfile, change: Change) -> tuple[str, ...]:
        """Why it must hear of `change`, which made `after` of `before`; none if it need not."""
        if not self.enabled:
            return ()
        reasons = []
        if any(_status_changed(before, after, audience) for audience in self.mapped):
            reasons.append("audience")
        if any(after.status(audience) == "realized" for audience in self.mapped):
            if self._hears_of_attributes(before, after, change):
                reasons.append("attribute")
            if before.identity_set() != after.identity_set():
                reasons.append("identity")
        return tuple(reason for reason in reasons if self._triggers[reason])

    def body(self, profile: ModelProfile) -> dict[str, Any]:
        memberships: dict[str, dict[str, Any]] = {}
        for audience, (status, time) in profile.memberships.items():
            if self.sees(audience):
                memberships.setdefault(audience[0], {})[audience[1]] = self.membership(audience, status, time)
        identities = {namespace: [{"id": each} for each in ids] for namespace, ids in profile.identities.items()}
        return self._cut(profile) | {"segmentMembership": memberships, "identityMap": identities}

    def sees(self, audience: AudienceKey) -> bool:
        """Whether `audience` may be in a body: it is mapped, or of the merge policy of one that is, if that counts."""
        policy = self._catalog[audience].get("mergePolicyId") if audience in self._catalog else None
        return audience in self.mapped or (policy in self._policies and not self._only_mapped)

    def membership(self, audience: AudienceKey, status: str, last_qualification_time: str) -> dict[str, Any]:
        """The entry of `audience` in a body."""
        known, mapping = self._catalog.get(audience), self.mapped.get(audience)
        entry: dict[str, Any] = {"status": status, "lastQualificationTime": last_qualification_time}
        if self._timestamps and known:
            entry |= {name: known[name] for name in ("createdAt", "updatedAt")}
        if self._timestamps and mapping:
            entry |= {name: mapping[name] for name in ("mappingCreatedAt", "mappingUpdatedAt")}
        if self._names and known:
            entry["name"] = known.get("name", "")
        return entry

    def maps(self, path: Path) -> bool:
        """Whether `path` is a mapped attribute, or above or below one."""
        return any(related(path, mapped) for mapped in self._paths)

    def _hears_of_attributes(self, before: ModelProfile, after: ModelProfile, change: Change) -> bool:
        written = [path for path, _ in leaves(change.get("attributes", {}))]
        hit = [mapped for mapped in self._paths if any(related(path, mapped) for path in written)]
        if self._skips_same_values:
            return any(_differ(before.attribute(path), after.attribute(path)) for path in hit)
        return bool(hit)

    def _cut(self, profile: ModelProfile) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in _outermost(self._paths):
            value = profile.attribute(path)
            if value is ABSENT:
                continue
            node = found
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = copy.deepcopy(value)
        return found


def audience_key(entry: Mapping[str, Any]) -> AudienceKey:
    return entry.get("namespace", "ups"), entry["id"]


def _as_object(mapped_audience: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": mapped_audience} if isinstance(mapped_audience, str) else mapped_audience


def _path(text: str) -> Path:
    """A JSON Pointer or a dotted path."""
    if text.startswith("/"):
        return tuple(key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/"))
    return tuple(text.split("."))


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """`paths` without those that another covers."""
    kept: list[Path] = []
    for path in sorted(paths, key=len):
        if not any(related(path, shorter) for shorter in kept):
            kept.append(path)
    return kept


def _status_changed(before: ModelProfile, after: ModelProfile, audience: AudienceKey) -> bool:
    was, is_now = before.status(audience), after.status(audience)
    # Whoever never was in an audience cannot leave it.
    return was != is_now and (was, is_now) != (None, "exited")


def _differ(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is not other
    return canonical(one) != canonical(other)
