"""The scopes of a resync as they are asked for, and by the model whom each means."""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.domain.instants import SECOND, format_instant
from tests.faults.resync.audience import AUDIENCE, Model


@dataclass(frozen=True)
class Order:
    """A scope: `scope` as the API takes it, and what of it the model has to know. `since` in seconds, 0 for ever."""

    scope: dict[str, Any]
    named: frozenset[str] | None = None
    since: float = 0.0
    key_range: tuple[str, str] | None = None

    def within(self, model: Model) -> frozenset[str]:
        """Who belongs to it by what is true now: a scope loses nobody who was in it once."""
        found: Iterable[str] = model.ever if self.scope["type"] == "audience" else model.heard_of
        if self.named is not None:
            found = self.named.intersection(found)
        if self.since:
            found = {each.profile_id for each in model.changes if each.at >= self.since}.intersection(found)
        if self.key_range is not None:
            first, last = self.key_range
            found = (each for each in found if first <= (key := _key(each)) and key[: len(last)] <= last)
        return frozenset(found)


def _key(profile_id: str) -> str:
    return hashlib.sha256(profile_id.encode()).hexdigest()


def everything() -> Order:
    return Order({"type": "everything"})


def audience() -> Order:
    return Order({"type": "audience", "id": AUDIENCE})


def profiles(model: Model, count: int, rng: random.Random) -> Order:
    """Most of them members, some who never were one, one who was never seen at all."""
    never = sorted(model.numbers.keys() - model.heard_of)
    ids = [*rng.sample(never, min(len(never), count // 10)), "somebody-else"]
    ids += rng.sample(sorted(model.heard_of), count - len(ids))
    return Order({"type": "profiles", "profileIds": ids}, named=frozenset(ids))


def saved_since(since: float) -> Order:
    return Order({"type": "saved-since", "since": format_instant(int(since * SECOND))}, since=since)


def key_range(first: str, last: str) -> Order:
    return Order({"type": "key-range", "first": first, "last": last}, key_range=(first, last))
