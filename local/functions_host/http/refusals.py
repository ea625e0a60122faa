"""Requests that the real host's web server, Kestrel, refuses before any function hears of them."""

import re

from aiohttp import web

# In bytes, with the ends of lines.
_LONGEST_REQUEST_LINE = 8 * 1024
_LARGEST_HEADERS = 32 * 1024
_MOST_HEADERS = 100
_HOST = re.compile(r"[A-Za-z0-9\-._~%!$&'()*+,;=]+(?::\d+)?|\[[0-9A-Fa-f:.]+\](?::\d+)?")
_ABSOLUTE = re.compile("[a-z]+://([^/?]*)")


def refused_with(request: web.Request) -> int | None:
    """The status of the refusal, which has no body and closes the connection."""
    if len(f"{request.method} {request.raw_path} HTTP/1.1\r\n") > _LONGEST_REQUEST_LINE:
        return 414
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in request.raw_headers)
    if size > _LARGEST_HEADERS or len(request.raw_headers) > _MOST_HEADERS:
        return 431
    hosts = [value.decode("latin-1") for name, value in request.raw_headers if name.lower() == b"host"]
    absolute = _ABSOLUTE.match(request.raw_path)
    if (
        not request.raw_path.isascii()
        or "%00" in request.raw_path.partition("?")[0]
        or not all(_is_text(value) for _, value in request.raw_headers)
        or any(host and not _HOST.fullmatch(host) for host in hosts)
        or (absolute is not None and hosts != [absolute[1]])
    ):
        return 400
    return None


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
