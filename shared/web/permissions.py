"""Who calls, and what they may do (docs/rules.md, "Who may do what")."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.web.problems import ProblemError

PRINCIPAL_HEADER = "x-ms-client-principal"
_ROLE_CLAIMS = {"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}
_NAME_CLAIMS = (
    "preferred_username",
    "upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
    "name",
    "appid",
    "azp",
)
_LONGEST_NAME = 256


class Permission(StrEnum):
    """Each is the value of an app role in Entra ID."""

    MANAGE_DESTINATIONS = "ManageDestinations"
    ACTIVATE_DESTINATIONS = "ActivateDestinations"
    VIEW_PROFILES = "ViewProfiles"
    VIEW_SEGMENTS = "ViewSegments"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever made the request, by the name that the audit log shows."""

    name: str
    permissions: frozenset[Permission]

    def require(self, permissions: Iterable[Permission]) -> None:
        """Raises ProblemError (403) naming the app roles that are missing."""
        missing = [permission for permission in permissions if permission not in self.permissions]
        if missing:
            names = ", ".join(missing)
            raise ProblemError(
                403, f"this needs the app role {names}: ask whoever assigns roles of this app in Entra ID"
            )


KEY_HOLDER = Principal("function key", frozenset(Permission))
"""Whoever has a function key may do everything; the host has checked the key before the app is called."""


def principal_of(headers: Mapping[str, str], *, app_service_authentication: bool) -> Principal:
    """The caller. `X-MS-CLIENT-PRINCIPAL` counts only where App Service authentication is on, which sets it itself and
    lets nobody else do so; elsewhere anybody could.

    Raises ProblemError (401) where nobody is signed in.
    """
    if not app_service_authentication:
        return KEY_HOLDER
    header = headers.get(PRINCIPAL_HEADER)
    if not header:
        raise ProblemError(401, "sign in first, or send an access token of Entra ID for this app as a bearer token")
    claims = _claims(header)
    values = {value for kind, value in claims if kind in _ROLE_CLAIMS}
    return Principal(_name(claims), frozenset(each for each in Permission if each in values))


def _claims(header: str) -> list[tuple[str, str]]:
    try:
        document: Any = json.loads(base64.b64decode(header, validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in document["claims"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ProblemError(401, "X-MS-CLIENT-PRINCIPAL is not what App Service authentication sends") from None
    role_type = document.get("role_typ")
    return [("roles" if kind == role_type else kind, value) for kind, value in claims]


def _name(claims: list[tuple[str, str]]) -> str:
    found = dict(claims)
    name = next((found[kind] for kind in _NAME_CLAIMS if found.get(kind)), "unnamed")
    return name[:_LONGEST_NAME]
