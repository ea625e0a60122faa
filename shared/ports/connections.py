"""What connecting destinations needs of the outside."""

from dataclasses import dataclass
from typing import Literal, Protocol

from shared.domain.configuration.credentials import Credentials

ProblemKind = Literal[
    "unknown-host",
    "unreachable",
    "blocked-by-firewall",
    "unknown-hub",
    "bad-key",
    "no-send-claim",
    "no-manage-claim",
    "no-identity",
    "sign-in-failing",
    "disabled",
    "quota",
    "throttled",
    "timeout",
    "other",
]


@dataclass(frozen=True, slots=True)
class ConnectionProblem:
    """What is wrong with a connection; `message` says what to do, and holds no key."""

    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A hub that takes events; `partitions` are the ids of its partitions."""

    partitions: tuple[str, ...]


class HubVerifier(Protocol):
    async def verify(self, credentials: Credentials, event_hub_name: str) -> Verified | ConnectionProblem:
        """Whether events could be sent to the hub. Sends none, and is over within about 15 seconds."""

    async def list_hubs(self, credentials: Credentials) -> tuple[str, ...] | ConnectionProblem:
        """The names of the namespace's hubs. Over within about 15 seconds."""


class SecretStore(Protocol):
    """Where the keys of destinations are kept. No error and no representation tells a value."""

    @property
    def writable(self) -> bool:
        """Whether keys can be kept at all."""

    async def store(self, name: str, value: str) -> str:
        """Keep `value` as the newest version of the secret, and return that version's name; older ones stay.

        Raises NoSecretStoreError where there is no place for keys, SecretError.
        """

    async def read(self, name: str, version: str | None = None) -> str:
        """The value of a version, or of the newest. Raises SecretError, also where there is none."""

    async def expires_at(self, name: str, version: str | None = None) -> int | None:
        """When a version, or the newest, expires (microseconds since the epoch), None for never. Raises SecretError,
        also where there is none.
        """

    async def delete(self, name: str) -> None:
        """Forget every version; none there is no error. Raises SecretError."""
