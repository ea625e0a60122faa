"""JSON as this app reads and writes it: strict on the way in, one byte form on the way out."""

import codecs
import json
import math
from typing import Any, NoReturn, TypeAlias

import orjson

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

MAX_DEPTH = 64
_BITS_OF_A_DOUBLE = 1024
_DIGITS_OF_A_DOUBLE = 309
_BEYOND_A_DOUBLE = "expected numbers within the range of a double"


class InvalidJsonError(ValueError):
    """The text is not JSON that this app takes; the message says what was expected."""


def decode_utf8(encoded: bytes) -> str:
    """The text, without a byte order mark. Raises InvalidJsonError for what is no UTF-8."""
    try:
        return encoded.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise InvalidJsonError(f"expected UTF-8, byte {error.start} is none") from None


def parse_json(text: str) -> Any:
    """The value of `text`. NaN, infinities, numbers beyond a double and too deep nesting raise InvalidJsonError."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise InvalidJsonError(f"expected at most {MAX_DEPTH} levels of nesting") from None
    except InvalidJsonError:
        raise
    except json.JSONDecodeError as error:
        raise InvalidJsonError(f"expected JSON: {error.msg.removesuffix(' at')} at character {error.pos}") from None


def require_storable(value: Any) -> None:
    """Raises InvalidJsonError for a parsed document that is nested too deeply, or has text that cannot be encoded."""
    if deeper_than(value, MAX_DEPTH):
        raise InvalidJsonError(f"expected at most {MAX_DEPTH} levels of nesting")
    try:
        canonical_json(value).encode()
    except UnicodeEncodeError:
        raise InvalidJsonError("expected text, got half of a surrogate pair") from None


def canonical_json(value: object) -> str:
    """`value` with sorted keys and no white space: the same value always gives the same text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def json_bytes(value: object, *, sort_keys: bool = True) -> bytes:
    """`value` as UTF-8 without white space: the same value always gives the same bytes (sorted).

    Some numbers read otherwise than in `canonical_json`, 1e16 for 1e+16, which has no part in any comparison.
    Raises UnicodeEncodeError for text that is half of a surrogate pair.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except TypeError:  # orjson writes no integers beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys).encode()


def same_json(one: Any, other: Any) -> bool:
    """Whether both are the same value: `1`, `1.0` and `true` are three, and so are `0.0` and `-0.0` two."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, (str, int)):
        return bool(one == other)
    return canonical_json(one) == canonical_json(other)


def deeper_than(value: JsonValue, levels: int) -> bool:
    """Whether objects and arrays are nested more than `levels` deep in `value`."""
    if not isinstance(value, (dict, list)):
        return False
    if levels == 0:
        return True
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)) and deeper_than(inner, levels - 1):
            return True
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJsonError(f"expected a JSON number, got {name}")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJsonError(_BEYOND_A_DOUBLE)
    return number


def _double_sized_int(text: str) -> int:
    """Exact, but no larger than what any consumer's double can hold: `1e400` is refused, and so are its digits."""
    if len(text) < _DIGITS_OF_A_DOUBLE:
        return int(text)
    if len(text) > _DIGITS_OF_A_DOUBLE + 1 or (number := int(text)).bit_length() > _BITS_OF_A_DOUBLE:
        raise InvalidJsonError(_BEYOND_A_DOUBLE)
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float, parse_int=_double_sized_int)
