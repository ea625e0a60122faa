"""Where a profile lives: a key without any of its characters, and even spreads over buckets and partitions."""

import hashlib
from functools import lru_cache

INDEX_BUCKETS = 16
"""Over how many partitions the members of an audience are spread; a backfill has as many slices."""


@lru_cache(maxsize=4_096)
def profile_key(profile_id: str) -> str:
    """64 hexadecimal digits: legal in every table key, whatever characters the profile id has."""
    return hashlib.sha256(profile_id.encode()).hexdigest()


def bucket_of(profile_id: str, buckets: int) -> int:
    """The storage bucket of a profile, from 0 to `buckets` - 1, the same on every machine and for ever."""
    return bucket_of_key(profile_key(profile_id), buckets)


def bucket_of_key(key: str, buckets: int) -> int:
    """The bucket of the profile with this key."""
    return int(key[:8], 16) % buckets


def position_of_key(key: str) -> float:
    """Where in the order of all keys this one is, from 0 to 1: keys are hashes, so they are spread evenly."""
    return int(key[:8], 16) / 2**32


def partition_of(profile_id: str, partitions: int) -> int:
    """Which of a hub's partitions all the exports of a profile go to; independent of its storage bucket."""
    return partition_of_key(profile_key(profile_id), partitions)


def partition_of_key(key: str, partitions: int) -> int:
    """The same of the profile with this key."""
    return int(key[-8:], 16) % partitions
