"""Where a profile lives: keys that every table takes, an even spread, and the same place for ever."""

import math
import re
from collections import Counter
from collections.abc import Callable

import pytest

from shared.domain.profile_key import bucket_of, partition_of, profile_key

IDS = 20_000
SPECIAL_IDS = [
    "a/b",
    "a\\b",
    "a#b",
    "a?b",
    "a%2Fb",
    "a'b",
    "\x00",
    "\x1f\x7f\x80\x9f",
    "a\tb\nc\r",
    " ",
    "  a  ",
    "jane@example.com",
    "\U0001f600" * 3,
    "é",
    "e\u0301",
    "x" * 1_000,
    "\U0001f600" * 2_000,
]


def numbered(number: int) -> str:
    return str(number)


def padded_email(number: int) -> str:
    return f"customer-{number:09}@example.com"


def scattered_hex(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"


def chi_square(counts: Counter[int] | Counter[tuple[int, int]], cells: int) -> float:
    expected = counts.total() / cells
    return sum((count - expected) ** 2 for count in counts.values()) / expected + expected * (cells - len(counts))


def even_enough(counts: Counter[int] | Counter[tuple[int, int]], cells: int) -> bool:
    """Five standard deviations: one in some millions for a fair spread; the ids are fixed, so never by chance."""
    freedom = cells - 1
    return chi_square(counts, cells) < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("profile_id", SPECIAL_IDS)
def test_a_key_is_legal_whatever_the_id_holds(profile_id: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", profile_key(profile_id))
    assert 0 <= bucket_of(profile_id, 1_024) < 1_024
    assert 0 <= partition_of(profile_id, 32) < 32


def test_ids_that_differ_have_keys_that_differ() -> None:
    assert len({profile_key(profile_id) for profile_id in [*SPECIAL_IDS, "A", "a", "a ", ""]}) == len(SPECIAL_IDS) + 4


@pytest.mark.parametrize(
    ("profile_id", "key", "bucket", "partition"),
    [
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 0x2BF, 0x0D),
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0x042, 0x15),
    ],
)
def test_a_profile_stays_where_it_is_for_ever(profile_id: str, key: str, bucket: int, partition: int) -> None:
    """The digests are published test vectors of SHA-256; where a profile is must never depend on the release."""
    assert profile_key(profile_id) == key
    assert bucket_of(profile_id, 1_024) == bucket
    assert partition_of(profile_id, 32) == partition


@pytest.mark.parametrize("make_id", [numbered, padded_email, scattered_hex])
def test_profiles_spread_evenly_and_buckets_tell_nothing_of_partitions(make_id: Callable[[int], str]) -> None:
    places = [(bucket_of(profile_id, 1_024), partition_of(profile_id, 32)) for profile_id in map(make_id, range(IDS))]
    assert even_enough(Counter(bucket for bucket, _ in places), 1_024)
    assert even_enough(Counter(partition for _, partition in places), 32)
    assert even_enough(Counter((bucket % 32, partition) for bucket, partition in places), 32 * 32)
    assert even_enough(Counter((bucket // 32, partition) for bucket, partition in places), 32 * 32)


@pytest.mark.parametrize("buckets", [1, 3, 1_024, 4_096])
def test_numbers_that_are_no_powers_of_two_will_do(buckets: int) -> None:
    ids = [numbered(number) for number in range(200)]
    assert {bucket_of(profile_id, buckets) for profile_id in ids} <= set(range(buckets))
    for partitions in (1, 2, 5, 32):
        assert {partition_of(profile_id, partitions) for profile_id in ids} == set(range(partitions))
