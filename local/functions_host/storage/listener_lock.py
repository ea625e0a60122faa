"""The lock that lets one instance alone listen to a function's timer: a leased blob, as the real host has it."""

import asyncio
import logging
import random
from contextlib import suppress

from .requests import BlobRequests, StorageRequestError
from .retries import Uniform, retried

_log = logging.getLogger(__name__)

_SERVER_ERROR = 500


class ListenerLockLostError(Exception):
    """The lock could not be renewed: another instance may listen by now. The real host ends itself, too."""


class ListenerLock:
    """One function's lock. Its holder renews it whenever half of its lease is over."""

    def __init__(self, blobs: BlobRequests, blob: str, period_seconds: int, uniform: Uniform = random.uniform) -> None:
        self._blobs = blobs
        self._blob = blob
        self._period_seconds = period_seconds
        self._uniform = uniform
        self._lease_id: str | None = None

    async def try_acquire(self) -> bool:
        """Whether this instance has the lock now. Raises StorageRequestError where storage cannot tell."""
        try:
            self._lease_id = await self._acquire()
        except StorageRequestError as error:
            if error.status == 404:
                await self._create_blob()
                self._lease_id = await self._acquire()
            elif error.status != 409:
                raise
        return self._lease_id is not None

    async def hold(self) -> None:
        """Renew the acquired lock for ever, also while storage answers with errors of its own.

        Raises ListenerLockLostError where it does not answer, or refuses.
        """
        while True:
            await asyncio.sleep(self._period_seconds / 2)
            try:
                lease_id = str(self._lease_id)
                await retried(lambda: self._blobs.renew_lease(self._blob, lease_id), self._uniform)  # noqa: B023
            except StorageRequestError as error:
                if error.status is not None and error.status >= _SERVER_ERROR:
                    _log.warning("the lock %s could not be renewed: %s", self._blob, error)
                    continue
                raise ListenerLockLostError(
                    f"the lock {self._blob} could not be renewed ({error}). "
                    "Start the host again once the storage of AzureWebJobsStorage answers."
                ) from error

    async def release(self) -> None:
        """Let another instance have it; one that was never acquired is left alone."""
        if self._lease_id is None:
            return
        lease_id, self._lease_id = self._lease_id, None
        # Without it the lease ends by itself.
        with suppress(StorageRequestError):
            await self._blobs.release_lease(self._blob, lease_id)

    async def _acquire(self) -> str:
        return await retried(lambda: self._blobs.acquire_lease(self._blob, self._period_seconds), self._uniform)

    async def _create_blob(self) -> None:
        try:
            await write_blob(self._blobs, self._blob, b"", self._uniform)
        except StorageRequestError as error:
            if error.status != 412:  # another instance has made it, and holds it
                raise


async def write_blob(blobs: BlobRequests, blob: str, content: bytes, uniform: Uniform) -> None:
    """Write one of the host's blobs; the container is made where there is none. Raises StorageRequestError."""
    try:
        await retried(lambda: blobs.write(blob, content), uniform)
    except StorageRequestError as error:
        if error.status != 404:
            raise
        await retried(blobs.create_container, uniform)
        await retried(lambda: blobs.write(blob, content), uniform)
