"""Items are found by brackets alone, in one pass, however broken they are."""

import pytest

from shared.domain.messages.batch_sources import batch_sources
from shared.domain.messages.message import decode_message
from tests.kit.builders import NOW, item


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("[]", []),
        ("[ 1 , {} ]", ["1", "{}"]),
        ('{"changes":[1,NaN],"source":"x"}', ["1", "NaN"]),
        ('{"source":{"changes":[9]},"changes":[1]}', ["1"]),
        ('{"\\u0063hanges":[1]}', ["1"]),
        ('["],[", "\\"", "\\\\"]', ['"],["', '"\\""', '"\\\\"']),
        ('{"profileId":"p","changes":[1]}', None),
        ('{"changes":3}', None),
        ('{"changes":[1]} x', None),
        ("[1] x", None),
        ("[1\u00a0,2]\u00a0", None),
        ("[1", None),
        ("[[1]", None),
        ('["unended]', None),
    ],
)
def test_sources(text: str, sources: list[str] | None) -> None:
    assert batch_sources(text) == sources


def test_the_largest_message_of_nothing_but_bad_items_is_split_once() -> None:
    decoded = decode_message(b"[" + b"1," * 32_000 + b"1]", NOW)
    assert len(decoded.rejected) == 32_001
    assert {rejected.raw for rejected in decoded.rejected} == {b"1"}


def test_escapes_without_an_end_are_passed_once() -> None:
    assert batch_sources('["' + '\\"' * 32_000) is None


@pytest.mark.parametrize("rest", ['"changes":[1]', '"changes":[]', '"changes":[NaN]'])
def test_a_single_change_with_a_changes_member_is_kept_whole(rest: str) -> None:
    body = f'{{"profileId":"p",{rest}}}'.encode()
    (rejected,) = decode_message(body, NOW).rejected
    assert rejected.raw == body


def test_a_profile_id_that_is_no_text_does_not_name_a_profile() -> None:
    (rejected,) = decode_message(rb'[{"profileId":"\ud800"}]', NOW).rejected
    assert rejected.profile_id is None
    assert "half of a surrogate pair" in rejected.reason


def test_a_reason_stays_short_whatever_the_fields_are_called() -> None:
    (rejected,) = decode_message(str(item("p", 1) | {"x" * 60_000: 1}).replace("'", '"').encode(), NOW).rejected
    assert "/xxx" in rejected.reason
    assert len(rejected.reason) < 500


def test_a_time_before_the_first_year_is_refused() -> None:
    body = b'{"profileId":"p","occurredAt":"0001-01-01T00:00:00+01:00"}'
    (rejected,) = decode_message(body, NOW).rejected
    assert rejected.reason.startswith("item 0: /occurredAt: expected a date and time with a zone")
