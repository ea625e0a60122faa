"""What audience items make of the catalog."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.configuration.audience_item import AudienceChange
from shared.domain.configuration.model import Audience
from shared.domain.configuration.plan import dated_audience
from shared.domain.profile.memberships import AudienceKey


@dataclass(slots=True)
class CatalogChanges:
    """`entries`: what there will be of each audience that changes, None where it is removed.

    `refused` are (index of the item, why). `stale` and `unchanged` count the items that do nothing.
    """

    entries: dict[AudienceKey, Audience | None] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)
    stale: int = 0
    unchanged: int = 0

    @property
    def nothing_to_do(self) -> bool:
        return not self.entries and not self.refused


def catalog_changes(
    catalog: Mapping[AudienceKey, Audience],
    mapped: Container[AudienceKey],
    items: Sequence[tuple[int, AudienceChange]],
    now_ms: int,
) -> CatalogChanges:
    """What `items`, (index, change) in the order of their message, make of `catalog`; `mapped` audiences must stay.

    An item with an older `updatedAt` than the catalog's is stale.
    """
    changes = CatalogChanges()
    for index, item in items:
        key = item.audience.key
        current = changes.entries[key] if key in changes.entries else catalog.get(key)
        if _stale(item.audience, current):
            changes.stale += 1
        elif item.deleted and current is None:
            changes.unchanged += 1
        elif item.deleted and key in mapped:
            changes.refused.append((index, "/audience/deleted: expected an audience that no dataflow maps"))
        else:
            wanted = None if item.deleted else dated_audience(item.audience, current, now_ms)
            if wanted == current:
                changes.unchanged += 1
            else:
                changes.entries[key] = wanted
    return changes


def _stale(written: Audience, current: Audience | None) -> bool:
    if current is None or written.updated_at is None or current.updated_at is None:
        return False
    return written.updated_at < current.updated_at
