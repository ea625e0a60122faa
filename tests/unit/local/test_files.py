"""What people give to a command in a file: byte order marks, separators of lines, and JSON that is refused in words."""

from pathlib import Path

import pytest

from local.errors import LocalError
from local.files import json_in, lines_in

MARK = b"\xef\xbb\xbf"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "given"


@pytest.mark.parametrize("mark", [b"", MARK])
def test_a_mark_before_the_text_is_no_part_of_it(file: Path, mark: bytes) -> None:
    file.write_bytes(mark + b'{"a": 1}')
    assert json_in(str(file)) == {"a": 1}
    file.write_bytes(mark + b"p\r\nq\rr\n\n")
    assert lines_in(str(file)) == ["p", "q", "r"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", " "])
def test_only_ends_of_lines_end_one(file: Path, separator: str) -> None:
    file.write_text(f"p{separator}q\n{separator}r", encoding="utf-8", newline="")
    assert lines_in(str(file)) == [f"p{separator}q", f"{separator}r"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{\n"a": }', ":2:6: expected JSON: Expecting value"),
        (b"9" * 5_000, ": expected numbers within the range of a double"),
        (b"1e400", ": expected numbers within the range of a double"),
        (b"[NaN]", ": expected a JSON number, got NaN"),
        (b'["\\ud800"]', ": expected text, got half of a surrogate pair"),
        (b"[" * 65 + b"]" * 65, ": expected at most 64 levels of nesting"),
        (b"[" * 100_000, ": expected at most 64 levels of nesting"),
        ("{}".encode("utf-16"), ": expected UTF-8, byte 0 is none"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_json_that_is_refused(file: Path, text: bytes, said: str) -> None:
    file.write_bytes(text)
    with pytest.raises(LocalError) as refused:
        json_in(str(file))
    assert str(refused.value).startswith(f"{file}{said}")


def test_a_file_that_is_not_there(file: Path) -> None:
    for read in (json_in, lines_in):
        with pytest.raises(LocalError, match="cannot be read: No such file"):
            read(str(file))
