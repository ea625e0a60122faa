"""The profiles that this worker saved last, so that a change that soon follows another needs no reading.

Somebody else may have saved such a profile since, or forgotten it. What is stale against an old state is stale against
a newer one, and a save on an old state is refused; that costs a request, so a profile of which it was so is read for a
while. For all else the profile is read: what is due in an old state may not be sent as it was then, and what does not
fit into it may fit by now.
"""

from collections import OrderedDict
from dataclasses import dataclass

from shared.domain.instants import MINUTE, within
from shared.ports.profiles import ProfileStore, StoredProfile
from shared.ports.time import Clock

MOST_BYTES = 8 * 1024 * 1024
READ_FOR = MINUTE
_OVERHEAD = 400


@dataclass(frozen=True, slots=True)
class _Remembered:
    """`etag` is None for a profile that is read until READ_FOR after `at`, as somebody else saves it, too."""

    etag: str | None
    saved_as: bytes
    at: int

    @property
    def size(self) -> int:
        return _OVERHEAD + len(self.saved_as)


class RecentProfiles:
    """Keeps up to about `most_bytes`, in the form in which they are stored."""

    def __init__(self, profiles: ProfileStore, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._profiles = profiles
        self._clock = clock
        self._most_bytes = most_bytes
        self._bytes = 0
        self._by_key: OrderedDict[str, _Remembered] = OrderedDict()

    def recall(self, profile_id: str, key: str) -> StoredProfile | None:
        """The profile as this worker saved it last; it may be outdated."""
        remembered = self._by_key.get(key)
        if remembered is None or remembered.etag is None:
            return None
        self._by_key.move_to_end(key)
        return self._profiles.restore(profile_id, remembered.etag, remembered.saved_as)

    def saved(self, profile: StoredProfile) -> None:
        """Remember it."""
        remembered, now = self._by_key.get(profile.key), self._clock()
        if remembered is None or remembered.etag is not None or not within(now - remembered.at, READ_FOR):
            self._put(profile.key, _Remembered(profile.etag, profile.saved_as, now))

    def not_saved(self, key: str) -> None:
        """A save of the profile failed: if it was remembered, whoever saved it may do so again."""
        if key in self._by_key:
            self._put(key, _Remembered(None, b"", self._clock()))

    def _put(self, key: str, remembered: _Remembered) -> None:
        before = self._by_key.pop(key, None)
        self._bytes += remembered.size - (before.size if before else 0)
        self._by_key[key] = remembered
        while self._bytes > self._most_bytes:
            _, oldest = self._by_key.popitem(last=False)
            self._bytes -= oldest.size
