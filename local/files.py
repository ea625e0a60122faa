"""Files that people give to a command, with or without a byte order mark."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.errors import LocalError
from shared.domain.jsonvalue import InvalidJsonError, decode_utf8, parse_json, require_storable


def json_in(file: str) -> Any:
    """What a file says, or standard input for `-`, by the rules for bodies of the API. Raises LocalError."""
    text = _text_in(file)
    try:
        with suppress(RecursionError):  # which is told below
            json.loads(text, parse_int=str, parse_float=str)
        document = parse_json(text)
        require_storable(document)
        return document
    except json.JSONDecodeError as error:
        raise LocalError(f"{file}:{error.lineno}:{error.colno}: expected JSON: {error.msg}") from error
    except InvalidJsonError as error:
        raise LocalError(f"{file}: {error}") from error


def lines_in(file: str) -> list[str]:
    """The lines that are not empty, ended by LF, CRLF or CR; other separators are part of one. Raises LocalError."""
    return list(filter(None, _text_in(file).replace("\r", "\n").split("\n")))


def _text_in(file: str) -> str:
    try:
        return decode_utf8(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
    except OSError as error:
        raise LocalError(f"{file} cannot be read: {error.strerror}") from error
    except InvalidJsonError as error:
        raise LocalError(f"{file}: {error}") from error
