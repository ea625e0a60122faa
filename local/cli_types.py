"""Argument types of the command line: argparse turns their errors into usage messages."""

import argparse
import math
import re

from local.stack.functions_host import HostKind
from shared.domain.messages.batches import MESSAGE_LIMIT


def positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def positive_seconds(text: str) -> float:
    return _positive(text, "seconds, such as 10 or 0.5")


def rate(text: str) -> float:
    """`500` or `500/s`."""
    return _positive(text.removesuffix("/s"), "changes a second, such as 500 or 500/s")


def hub(text: str) -> tuple[str, int]:
    """`crm:4`: a name and a number of partitions."""
    match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*):([1-9][0-9]{0,3})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:PARTITIONS, such as crm:4")
    return match[1], int(match[2])


def consumer_group(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?", text) is None:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no name of a consumer group: use up to 50 letters, digits, ".", "-" and "_"'
        )
    return text


def _positive(text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {expected}")
    return value


def message_bytes(text: str) -> int:
    size = positive_int(text)
    if size > MESSAGE_LIMIT:
        raise argparse.ArgumentTypeError(f"{text} is more than a queue message takes, {MESSAGE_LIMIT} bytes")
    return size


def add_host_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        type=HostKind,
        choices=list(HostKind),
        default=HostKind.STAND_IN,
        help="what runs the functions: the stand-in of this project (default), the real Functions host whose run-host "
        "FUNCTIONS_HOST names, or Core Tools' func",
    )
