"""Configuration, its audit log, secrets and the check of a connection, in memory."""

import asyncio
from dataclasses import replace
from itertools import count

from shared.domain.configuration.credentials import Credentials
from shared.domain.configuration.model import AS_STORED, Configuration
from shared.errors import (
    ConflictError,
    SecretError,
)
from shared.ports.audit import AuditEntry
from shared.ports.configuration import StoredConfiguration
from shared.ports.connections import ConnectionProblem, Verified


class MemoryConfiguration:
    def __init__(self, configuration: Configuration | None = None) -> None:
        self.loads = 0
        self._etag = 0
        self._document: str | None = None
        self._last: StoredConfiguration | None = None
        if configuration is not None:
            self.put(configuration)

    @property
    def document(self) -> str:
        """As it is stored."""
        return self._document or "{}"

    def put(self, configuration: Configuration) -> None:
        """What somebody else's save does."""
        self._document = configuration.model_dump_json(by_alias=True)
        self._etag += 1

    async def load(self) -> StoredConfiguration:
        self.loads += 1
        if self._document is None:
            return StoredConfiguration(Configuration(), None)
        if self._last is None or self._last.etag != str(self._etag):
            self._last = StoredConfiguration(
                Configuration.model_validate_json(self._document, context=AS_STORED), str(self._etag)
            )
        return self._last

    async def save(self, configuration: Configuration, etag: str | None) -> None:
        if etag != (str(self._etag) if self._document else None):
            raise ConflictError("somebody else saved the configuration first")
        self.put(configuration)


class MemoryAudit:
    def __init__(self) -> None:
        self.entries: dict[str, AuditEntry] = {}

    async def begin(self, entry: AuditEntry) -> None:
        entry.id = f"{10**17 - entry.at:018}-{len(self.entries):08}"
        self.entries[entry.id] = replace(entry)

    async def end(self, entry: AuditEntry) -> None:
        self.entries[entry.id] = replace(entry)

    async def newest_first(self, limit: int, before: str = "") -> list[AuditEntry]:
        return [self.entries[key] for key in sorted(self.entries) if key > before][:limit]


class ScriptedVerifier:
    """Finds each hub as `found` says, by its name, and the namespace's as `hubs` does."""

    def __init__(self) -> None:
        self.found: dict[str, Verified | ConnectionProblem] = {}
        self.hubs: tuple[str, ...] | ConnectionProblem = ()
        self.asked: list[tuple[Credentials, str]] = []

    async def verify(self, credentials: Credentials, event_hub_name: str) -> Verified | ConnectionProblem:
        await asyncio.sleep(0)
        self.asked.append((credentials, event_hub_name))
        return self.found.get(event_hub_name, ConnectionProblem("unknown-hub", f"there is no {event_hub_name}"))

    async def list_hubs(self, credentials: Credentials) -> tuple[str, ...] | ConnectionProblem:
        await asyncio.sleep(0)
        return self.hubs


class MemorySecrets:
    """Fails as `failure` says, if there is one. `ends`: when secrets expire, by name."""

    writable = True

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.ends: dict[str, int] = {}
        self.reads = 0
        self.failure: Exception | None = None
        self._versions = count(1)

    async def store(self, name: str, value: str) -> str:
        await self._answer()
        version = f"{next(self._versions):032x}"
        self.secrets.setdefault(name, {})[version] = value
        return version

    async def read(self, name: str, version: str | None = None) -> str:
        self.reads += 1
        await self._answer()
        versions = self.secrets.get(name, {})
        wanted = version or next(reversed(versions), "")
        if wanted not in versions:
            raise SecretError(f"there is no version {version} of secret {name}")
        return versions[wanted]

    async def expires_at(self, name: str, version: str | None = None) -> int | None:
        await self.read(name, version)
        return self.ends.get(name)

    async def delete(self, name: str) -> None:
        await self._answer()
        self.secrets.pop(name, None)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
