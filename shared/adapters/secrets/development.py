"""The SecretStore of the local stack: a file that its owner alone can read. Settings refuse it with real storage."""

import asyncio
import fcntl
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from shared.errors import SecretError

_Versions = dict[str, dict[str, str]]


def _new_version() -> str:
    return uuid.uuid4().hex


class DevelopmentSecrets:
    """`{secret: {version: value}}` in one JSON file, the newest version last. Several processes may share it."""

    writable = True

    def __init__(self, path: Path, new_version: Callable[[], str] = _new_version) -> None:
        self._path = path
        self._new_version = new_version

    async def store(self, name: str, value: str) -> str:
        version = self._new_version()

        def add(secrets: _Versions) -> None:
            secrets.setdefault(name, {})[version] = value

        await asyncio.to_thread(self._change, add)
        return version

    async def expires_at(self, name: str, version: str | None = None) -> int | None:
        await self.read(name, version)
        return None

    async def read(self, name: str, version: str | None = None) -> str:
        versions = (await asyncio.to_thread(self._read)).get(name, {})
        wanted = version or next(reversed(versions), "")
        if wanted not in versions:
            which = f"version {version} of secret {name}" if version else f"secret {name}"
            raise SecretError(f"{which} is not in {self._path}: connect its destination anew, with its key")
        return versions[wanted]

    async def delete(self, name: str) -> None:
        def remove(secrets: _Versions) -> None:
            secrets.pop(name, None)

        await asyncio.to_thread(self._change, remove)

    async def close(self) -> None:
        """There is nothing to close."""

    def _change(self, change: Callable[[_Versions], None]) -> None:
        with self._locked():
            secrets = self._read()
            change(secrets)
            # Made for its owner alone, and replaced at once: readers need no lock.
            with NamedTemporaryFile("w", dir=self._path.parent, prefix=".", delete=False, encoding="utf-8") as new:
                json.dump(secrets, new, indent=2)
            Path(new.name).replace(self._path)

    def _read(self) -> _Versions:
        try:
            secrets: _Versions = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            # Not chained: a decoding error holds the text.
            raise SecretError(
                f"{self._path} cannot be read ({type(error).__name__}): is it the file of secrets?"
            ) from None
        return secrets

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.with_name(f"{self._path.name}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise SecretError(f"{self._path} cannot be written ({error.strerror}): is its directory there?") from error
