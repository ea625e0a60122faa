"""What is remembered for an hour of an export that its hub acknowledged: neither its body nor the profile's id."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SentExport:
    """`at`: when the hub acknowledged it, in microseconds, as is `occurred_at`. `profile_key` is the hash of the
    profile's id, `size` the body's in bytes.
    """

    at: int
    profile_key: str
    version: int
    config_revision: int
    reasons: tuple[str, ...]
    occurred_at: int
    size: int

    def to_document(self) -> list[Any]:
        return [
            self.at,
            self.profile_key,
            self.version,
            self.config_revision,
            list(self.reasons),
            self.occurred_at,
            self.size,
        ]

    @classmethod
    def from_document(cls, document: list[Any]) -> "SentExport":
        at, profile_key, version, config_revision, reasons, occurred_at, size = document
        return cls(at, profile_key, version, config_revision, tuple(reasons), occurred_at, size)
