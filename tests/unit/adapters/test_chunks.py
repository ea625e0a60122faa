"""Bytes spread over table properties, and the weight of a row by Azure's published formula."""

import random

import pytest

from shared.adapters.tables.service.chunks import CHUNK_BYTES, ROW_LIMIT, from_chunks, row_size, to_chunks

KIB = 1024


def test_the_limits_are_those_of_table_storage() -> None:
    assert (CHUNK_BYTES, ROW_LIMIT) == (64 * KIB, 1024 * KIB)


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (0, [0]),
        (1, [1]),
        (64 * KIB - 1, [65_535]),
        (64 * KIB, [65_536]),
        (64 * KIB + 1, [65_536, 1]),
        (128 * KIB, [65_536, 65_536]),
        (704 * KIB + 5, [65_536] * 11 + [5]),
    ],
)
def test_bytes_are_spread_over_properties_and_come_back(size: int, lengths: list[int]) -> None:
    data = random.Random(size).randbytes(size)
    chunks = to_chunks("body", data)
    assert {name: len(chunk) for name, chunk in chunks.items()} == {f"body{n}": le for n, le in enumerate(lengths)}
    assert from_chunks("body", chunks) == data


def test_a_row_gives_its_properties_in_any_order() -> None:
    data = random.Random(1).randbytes(11 * 64 * KIB)
    chunks = to_chunks("body", data)
    assert from_chunks("body", dict(sorted(chunks.items(), reverse=True))) == data


def test_other_properties_of_the_row_are_left_alone() -> None:
    row = {"PartitionKey": "p", "body": b"no", "bodyShop0": b"no", **to_chunks("body", b"yes"), "version": 3}
    assert from_chunks("body", row) == b"yes"


def test_without_any_chunk_there_are_no_bytes() -> None:
    assert from_chunks("body", {"other0": b"x"}) == b""


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({}, 4),
        # 4 + 2 a character of the keys
        ({"PartitionKey": "pk", "RowKey": "row1"}, 4 + 2 * (2 + 4)),
        # a property: 8 + 2 a character of its name + its value; a string: 2 a character, and 4
        ({"name": "abc"}, 4 + (8 + 2 * 4 + (2 * 3 + 4))),
        ({"name": ""}, 4 + (8 + 2 * 4 + 4)),
        ({"name": "é"}, 4 + (8 + 2 * 4 + (2 + 4))),
        ({"name": "\U0001f600"}, 4 + (8 + 2 * 4 + (4 + 4))),
        # binary: its bytes, and 4
        ({"data0": b"0123456789"}, 4 + (8 + 2 * 5 + (10 + 4))),
        # a 64-bit integer: 8
        ({"version": 1_768_132_800_000_000}, 4 + (8 + 2 * 7 + 8)),
        (
            {"PartitionKey": "0042", "RowKey": "f" * 64, "version": 1, "kind": "profile", "body0": b"x" * 100},
            4 + 2 * 68 + (8 + 14 + 8) + (8 + 8 + 18) + (8 + 10 + 104),
        ),
    ],
)
def test_a_row_weighs_what_azures_formula_says(row: dict[str, str | bytes | int], size: int) -> None:
    assert row_size(row) == size


def test_sixteen_full_chunks_do_not_fit_a_row() -> None:
    keys = {"PartitionKey": "0042", "RowKey": "f" * 64}
    assert row_size({**keys, **to_chunks("body", bytes(15 * 64 * KIB))}) < ROW_LIMIT
    assert row_size({**keys, **to_chunks("body", bytes(16 * 64 * KIB))}) > ROW_LIMIT
