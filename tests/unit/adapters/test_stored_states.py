"""States as rows hold them: for every release to read, and the same numbers for all of them."""

import base64
import json
import random
import zlib
from typing import Any

import pytest

from shared.adapters.tables import profiles
from shared.adapters.tables.profiles import decode_state, encode_state
from shared.domain.jsonvalue import json_bytes
from shared.domain.profile.state import ProfileState
from tests.kit.builders import NOW, change, ids, membership

ODD = [2**63, 2**64, -(2**64), 10**300, 2**53 + 1, -0.0, 1e16, 5e-324, "ü😀\u2028", [None, {"a": []}], True]


def state_of(**attributes: Any) -> ProfileState:
    state = ProfileState("p")
    fields = {"segmentMembership": membership(1), "identityMap": ids("1"), "attributes": attributes}
    state.apply(change(1, **fields), NOW)
    state.next_version(NOW)
    return state


def as_of_release_0_1(state: ProfileState) -> bytes:
    return zlib.compress(json_bytes(state.to_document(), sort_keys=False))


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def compressor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    assert profiles.fast_zlib is not zlib
    if request.param == "zlib":
        monkeypatch.setattr(profiles, "fast_zlib", zlib)


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_numbers_and_texts_are_read_as_they_were(value: Any) -> None:
    state = state_of(x=value, y={"z": [value]})
    for row in (encode_state(state), as_of_release_0_1(state)):
        read = decode_state(row)
        assert json.dumps(read.attributes.resolve()) == json.dumps(state.attributes.resolve())
        assert read == state


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_release_0_1_reads_what_is_written(value: Any) -> None:
    state = state_of(x=value)
    document = json.loads(zlib.decompress(encode_state(state)))
    assert json.dumps(ProfileState.from_document(document).to_document()) == json.dumps(state.to_document())
    assert document.keys() - state.to_document().keys() <= {"orjson"}


def test_a_tombstone_is_read() -> None:
    state = state_of(x=1)
    state.apply(change(2, deleted=True), NOW)
    state.drop_leftovers()
    read = decode_state(encode_state(state), "p")
    assert (read.deletion, read.version, read.profile_id) == (state.deletion, state.version, "p")


def test_a_long_state_takes_no_more_room_than_before() -> None:
    """What fits into a row must go on fitting."""
    text = base64.b64encode(random.Random(1).randbytes(200_000)).decode()
    state = state_of(x=text, y={f"k{number}": number for number in range(20_000)})
    assert len(encode_state(state)) <= len(as_of_release_0_1(state)) + 32
