"""The model's profile: what a change writes into it, by RFC 7396 and docs/rules.md alone."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from json_merge_patch import merge

Change: TypeAlias = Mapping[str, Any]
AudienceKey: TypeAlias = tuple[str, str]
Path: TypeAlias = tuple[str, ...]

ABSENT: Final = object()
_STATUS = {"realized": "realized", "existing": "realized", "exited": "exited", "exiting": "exited"}


@dataclass
class ModelProfile:
    """A profile as the changes so far leave it; `memberships` has the status and lastQualificationTime of each."""

    attributes: dict[str, Any] = field(default_factory=dict)
    identities: dict[str, list[str]] = field(default_factory=dict)
    memberships: dict[AudienceKey, tuple[str, str]] = field(default_factory=dict)

    def apply(self, change: Change) -> None:
        """Write a change that is later than all before it."""
        self.attributes = merge(self.attributes, copy.deepcopy(change.get("attributes", {})))
        if "identityMap" in change:
            self.identities = identities_of(change["identityMap"])
        self.memberships |= dict(memberships_of(change))

    def status(self, audience: AudienceKey) -> str | None:
        return self.memberships[audience][0] if audience in self.memberships else None

    def identity_set(self) -> set[tuple[str, str]]:
        return {(namespace, identity) for namespace, ids in self.identities.items() for identity in ids}

    def attribute(self, path: Path) -> Any:
        """The value at `path`, or ABSENT."""
        return at(self.attributes, path)


def canonical(value: Any) -> str:
    """Equal texts for equal JSON values; to Python, 1, 1.0 and True would be equal too."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def at(value: Any, path: Path) -> Any:
    """What is at `path` in `value`, or ABSENT."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value


def leaves(patch: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What a merge patch writes, and where: everything but objects, and empty objects."""
    for key, value in patch.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def related(one: Path, other: Path) -> bool:
    """Whether one path is the other, above it or below it."""
    return all(a == b for a, b in zip(one, other, strict=False))


def memberships_of(change: Change) -> Iterator[tuple[AudienceKey, tuple[str, str]]]:
    """(audience, (status, lastQualificationTime)) of each membership that a change writes."""
    for namespace, audiences in change.get("segmentMembership", {}).items():
        for audience, item in audiences.items():
            yield (namespace, audience), (_STATUS[item["status"]], item["lastQualificationTime"])


def identities_of(identity_map: Mapping[str, Sequence[Mapping[str, str]]] | None) -> dict[str, list[str]]:
    """The ids of each namespace, once each; a namespace without any is none."""
    return {
        namespace: list(dict.fromkeys(item["id"] for item in items))
        for namespace, items in (identity_map or {}).items()
        if items
    }
