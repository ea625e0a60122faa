"""Whether two hubs were told the same: who sends less, or otherwise, is not compared with."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from local.exports import read_exports
from local.stack.local_stack import LocalStack

_READ_WITHIN = 180.0


@dataclass
class Told:
    """What was told of a profile: how often for which reasons, and the body with the greatest version."""

    reasons: Counter[str] = field(default_factory=Counter)
    version: int = 0
    body: Any = None

    def add(self, reason: str, version: int, body: Any) -> None:
        self.reasons[reason] += 1
        if version > self.version:
            self.version, self.body = version, body


def differences(one: dict[str, Told], other: dict[str, Told]) -> list[str]:
    """The profiles of which the two were told otherwise. Versions are times, and differ."""
    return sorted(
        profile_id
        for profile_id in one.keys() | other.keys()
        if _comparable(one.get(profile_id)) != _comparable(other.get(profile_id))
    )


def _comparable(told: Told | None) -> tuple[Any, str] | None:
    return None if told is None else (told.reasons, json.dumps(told.body, sort_keys=True))


async def read_told(stack: LocalStack, hub: str) -> dict[str, Told]:
    """By profile, all that lies in `hub`. Raises RuntimeError where it cannot all be read back."""
    events = stack.broker.stats().hubs[hub].events
    told: defaultdict[str, Told] = defaultdict(Told)
    read = 0
    async for export in read_exports(stack.event_hubs_connection_string, [hub], count=events, timeout=_READ_WITHIN):
        properties = export.properties
        told[properties["profileId"]].add(properties["reason"], properties["profileVersion"], export.body)
        read += 1
    if read != events:
        raise RuntimeError(f"hub {hub}: only {read:,} of {events:,} events were read back")
    return dict(told)


async def require_same(stack: LocalStack, hubs: Iterable[str]) -> int:
    """How many profiles were told of. Raises RuntimeError unless all hubs were told the same of each."""
    first, *others = await asyncio.gather(*(read_told(stack, hub) for hub in hubs))
    for other in others:
        if different := differences(first, other):
            raise RuntimeError(f"of {len(different):,} profiles the hubs were told otherwise, such as {different[0]}")
    return len(first)
