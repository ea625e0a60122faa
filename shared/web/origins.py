"""Where a browser says that a request comes from: pages of other sites must not use who is signed in here."""

from enum import Enum
from urllib.parse import urlsplit

from fastapi import Request

from shared.web.context import context_of
from shared.web.problems import ProblemError

_OWN_SITE = ("same-origin", "none")
"""What `Sec-Fetch-Site` says of a request that no other site had a hand in."""


class Sender(Enum):
    """`UNKNOWN`: nothing is said, as by programs and old browsers."""

    OWN_PAGE = "own page"
    OTHER_SITE = "other site"
    UNKNOWN = "unknown"


def sender_of(request: Request) -> Sender:
    """Who made a browser send `request`, by `Sec-Fetch-Site` and `Origin`; one that speaks against it is enough.

    A page is our own at the address that the request has, and at those that PUBLIC_ORIGINS names: behind a front door
    the request has another than the browser knows.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin is None:
        return Sender.UNKNOWN
    own_site = site is None or site in _OWN_SITE
    own_origin = origin is None or _is_own(request, origin)
    return Sender.OWN_PAGE if own_site and own_origin else Sender.OTHER_SITE


def refuse_other_sites(request: Request) -> None:
    """Raises ProblemError (403)."""
    if sender_of(request) is Sender.OTHER_SITE:
        raise ProblemError(
            403,
            "a page of another site must not change anything here; if it is this app's own, behind a front door, "
            "the app setting PUBLIC_ORIGINS has to name the address that browsers know",
        )


def _is_own(request: Request, origin: str) -> bool:
    if origin.lower() in context_of(request).public_origins:
        return True
    try:
        return urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # it is no address at all
        return False
