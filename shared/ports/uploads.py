"""What uploads need of the outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`size` is in bytes; `etag` changes whenever the file is written."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class WriteAccess:
    """Lets whoever has `url` write one file, by a PUT with `headers`, until `expires_at` (microseconds)."""

    url: str = field(repr=False)
    headers: Mapping[str, str]
    expires_at: int


class UploadFiles(Protocol):
    """The files of uploads, by the uploads' ids."""

    async def grant(self, upload_id: str, until: int) -> WriteAccess:
        """Access to write this file and nothing else, until then (microseconds). Raises SettingError, StorageError."""

    async def write(self, upload_id: str, body: bytes) -> None:
        """Write the whole file, in place of one that is there. Raises StorageError."""

    async def find(self, upload_id: str) -> StoredFile | None:
        """The file, if there is one. Raises StorageError."""

    async def read(self, upload_id: str, etag: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, fewer only at the end.

        Raises UploadFileChangedError if the file is not the one with this etag any more, StorageError otherwise.
        """

    async def delete(self, upload_id: str) -> None:
        """Delete the file; none is no error. Raises StorageError."""
