"""When the keys of destinations expire, by where they are kept: nothing else tells the app."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.concurrency import all_of
from shared.domain.configuration.model import Destination, SasAuthentication, SecretReference
from shared.domain.instants import MINUTE, within
from shared.errors import SecretError
from shared.ports.connections import SecretStore
from shared.ports.time import Clock

LOOK_EVERY = 6 * 60 * MINUTE
_AGAIN_AFTER = 10 * MINUTE
"""So long a store that did not answer is left alone."""
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Seen:
    """`end`: microseconds since the epoch, None for never; `known` is False where nobody could say."""

    at: int
    end: int | None = None
    known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExpiries:
    """Remembers what it was told: each instance asks once for a key, and again every few hours."""

    secrets: SecretStore
    clock: Clock
    _seen: dict[SecretReference, _Seen] = field(default_factory=dict)

    async def ends(self, destinations: Iterable[Destination]) -> Mapping[str, tuple[bool, int | None]]:
        """Of each destination whether it is known, and when its key expires: None where it never does, or it has no key
        of its own.
        """
        keys = {each.id: _key_of(each) for each in destinations}
        turns = asyncio.Semaphore(_AT_ONCE)

        async def look(key: SecretReference) -> None:
            async with turns:
                self._seen[key] = await self._look(key)

        await all_of(look(key) for key in set(keys.values()) if key is not None and self._is_due(key))
        none = _Seen(0)
        found = {each: none if key is None else self._seen[key] for each, key in keys.items()}
        return {each: (seen.known, seen.end) for each, seen in found.items()}

    def _is_due(self, key: SecretReference) -> bool:
        seen = self._seen.get(key)
        return seen is None or not within(self.clock() - seen.at, LOOK_EVERY if seen.known else _AGAIN_AFTER)

    async def _look(self, key: SecretReference) -> _Seen:
        now = self.clock()
        try:
            return _Seen(now, await self.secrets.expires_at(key.name, key.version))
        except SecretError:
            return _Seen(now, known=False)


def _key_of(destination: Destination) -> SecretReference | None:
    authentication = destination.authentication
    return authentication.secret if isinstance(authentication, SasAuthentication) else None
