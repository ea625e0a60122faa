"""Decoding and encoding of paths; what the real host does with whole requests is in tests/fixtures/http-requests."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from local.functions_host.http.paths import decoded_path, encoded_path


@given(
    st.text(st.characters(exclude_characters="/\x00", codec="utf-8"), min_size=1).filter(lambda text: "." not in text)
)
def test_an_encoded_segment_is_decoded_once(text: str) -> None:
    assert decoded_path(f"/a/{quote(text, safe='')}/b") == f"/a/{text}/b"


@given(st.text(st.characters(exclude_characters="%", codec="utf-8")))
def test_what_was_decoded_is_encoded_again(text: str) -> None:
    encoded = encoded_path(text)
    assert encoded.isascii()
    assert decoded_path(f"/x{encoded}") == decoded_path(f"/x{text}")


def test_what_looks_encoded_stays_so() -> None:
    assert encoded_path(decoded_path("/a%2541b")) == "/a%41b"
