"""What a function returned, as the real host answers with it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime, parsedate_to_datetime
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any
from urllib.parse import quote

import azure.functions as func
from azure.functions.http import HttpResponseConverter

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_LONGEST_SECONDS = 922_337_203_685
_WRITTEN_AS: Mapping[str, str] = {
    name.lower(): name
    for name in [
        "Accept-Ranges",
        "Access-Control-Allow-Credentials",
        "Access-Control-Allow-Headers",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Origin",
        "Access-Control-Expose-Headers",
        "Access-Control-Max-Age",
        "Age",
        "Allow",
        "Alt-Svc",
        "Cache-Control",
        "Content-Disposition",
        "Content-Language",
        "Content-Length",
        "Content-Location",
        "Content-MD5",
        "Content-Range",
        "Content-Security-Policy",
        "Content-Type",
        "ETag",
        "Expires",
        "Keep-Alive",
        "Last-Modified",
        "Link",
        "Location",
        "Pragma",
        "Proxy-Authenticate",
        "Retry-After",
        "Strict-Transport-Security",
        "Trailer",
        "Upgrade",
        "Vary",
        "Via",
        "WWW-Authenticate",
        "Warning",
        "X-Content-Type-Options",
        "X-Frame-Options",
    ]
}
"""Names that the real host knows, by their lower case; others it leaves as they are."""


@dataclass(frozen=True)
class Answer:
    """One value for each header, but for `Set-Cookie`."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


class UnusableAnswerError(Exception):
    """The host cannot answer with what the function returned: the caller gets a 500."""


def answer_of(returned: Any) -> Answer:
    """Of text and of an HttpResponse. Cookies are taken apart and written anew; of two headers the last one counts."""
    if isinstance(returned, str):
        return Answer(200, (("Content-Type", "text/plain; charset=utf-8"),), returned.encode())
    if not isinstance(returned, func.HttpResponse):
        raise UnusableAnswerError(f"the function returned {type(returned).__name__}, not HttpResponse or str")
    try:
        encoded = HttpResponseConverter.encode(returned, expected_type=None).value
        cookies = tuple(("Set-Cookie", text) for text in _cookies(encoded["cookies"] or ()))
    except (ValueError, CookieError) as error:
        raise UnusableAnswerError(f"a cookie cannot be read: {error}") from error
    headers = {
        name.lower(): (_WRITTEN_AS.get(name.lower(), name), datum.value) for name, datum in encoded["headers"].items()
    }
    for name, value in headers.values():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UnusableAnswerError(f"the header {name} has characters that may not be in it")
    if not headers["content-type"][1]:
        del headers["content-type"]
    return Answer(int(encoded["status_code"].value), (*headers.values(), *cookies), encoded["body"].value)


def _cookies(jars: Iterable[SimpleCookie]) -> Iterable[str]:
    return (_cookie(morsel) for jar in jars for morsel in jar.values())


def _whole_seconds(text: str) -> int:
    seconds = float(text)
    if not -_LONGEST_SECONDS < seconds < _LONGEST_SECONDS:
        raise ValueError("no time span of .NET is so long")
    return int(seconds)


def _cookie(morsel: Morsel[str]) -> str:
    if not _NAME.fullmatch(morsel.key):
        raise ValueError("its name has characters that may not be in it")
    pieces = [f"{morsel.key}={quote(morsel.value, safe='')}"]
    if morsel["expires"]:
        pieces.append(f"expires={format_datetime(parsedate_to_datetime(morsel['expires']), usegmt=True)}")
    if morsel["max-age"]:
        pieces.append(f"max-age={_whole_seconds(morsel['max-age'])}")
    pieces += [f"domain={morsel['domain']}", f"path={morsel['path']}"]
    if morsel["secure"]:
        pieces.append("secure")
    if (same_site := morsel["samesite"].lower()) in ("lax", "strict", "none"):
        pieces.append(f"samesite={same_site}")
    if morsel["httponly"]:
        pieces.append("httponly")
    return "; ".join(pieces)
