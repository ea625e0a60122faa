"""Webhooks: which addresses may be called, and what is sent (CloudEvents 1.0, signed by the Standard Webhooks scheme).

Whoever subscribes chooses where the app connects to. Outside the local stack that must be a public place: neither the
app's own network nor the endpoints by which a platform tells its machines secrets.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from shared.domain.instants import SECOND, format_instant
from shared.domain.jsonvalue import canonical_json

SOURCE = "/profile-relay"
_TYPE = "profile-relay.alert"
_SECRET_PREFIX = "whsec_"  # noqa: S105 # the scheme's, and no secret
_PORTS = (443, 8443)
_NAME = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.ASCII
)
_PRIVATE_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid", "onion")
_LOCAL_HOST = "127.0.0.1"

# Azure's machines ask here for their configuration, at an address that looks public.
_AZURE_PLATFORM = ipaddress.ip_address("168.63.129.16")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PROTOCOL_ASSIGNMENTS = ipaddress.ip_network("192.0.0.0/24")  # Python calls some of it global


def check_webhook_url(text: str, *, local_allowed: bool = False) -> str:
    """`text` if events may be sent there: https, a public host's name, port 443 or 8443.

    With `local_allowed`, http://127.0.0.1:PORT is taken, too. What the name stands for shows only when something is
    sent (`is_public_address`). Raises ValueError.
    """
    local = ", or http://127.0.0.1:PORT on the local stack" if local_allowed else ""
    expected = ValueError(
        f"expected an https address with the name of a public host, on port 443 or 8443, without user name, password "
        f"or fragment{local}"
    )
    if not text.isascii() or not text.isprintable() or any(character in text for character in ' \\"<>^`{|}'):
        raise expected
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise expected from None
    if "@" in parts.netloc or "#" in text:
        raise expected
    if local_allowed and parts.scheme == "http" and parts.netloc == f"{_LOCAL_HOST}:{port}" and port:
        return text
    if parts.scheme != "https" or not _NAME.fullmatch(host) or host.rpartition(".")[2] in _PRIVATE_NAMES:
        raise expected
    if port not in {None, *_PORTS} or parts.netloc.endswith(":"):
        raise expected
    return text


def is_public_address(text: str) -> bool:
    """Whether an IP address is one that anybody could reach, in whatever way it is wrapped."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None and not is_public_address(str(inner)):
            return False
        if address.ipv4_mapped is not None:
            return True
        if address.is_site_local or int(address) >> 32 == 0:  # the latter once held IPv4 addresses
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address == _AZURE_PLATFORM or address in _PROTOCOL_ASSIGNMENTS
    )


def cloud_event(event_id: str, kind: str, destination_id: str | None, at: int, data: Mapping[str, Any]) -> str:
    """The event as structured JSON, the same text for the same event; `at` is in microseconds."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": f"{_TYPE}.{kind}",
        "time": format_instant(at),
        "datacontenttype": "application/json",
        "data": dict(data),
    }
    if destination_id is not None:
        event["subject"] = destination_id
    return canonical_json(event)


def format_secret(key: bytes) -> str:
    """A signing key as people pass it on."""
    return _SECRET_PREFIX + base64.b64encode(key).decode()


def signed_headers(secret: str, event_id: str, body: bytes, content_type: str, now: int) -> dict[str, str]:
    """The headers to send `body` with, signed as of `now` (microseconds). Raises ValueError for what is no secret."""
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret of the subscription is none: delete the subscription and create it anew") from None
    timestamp = str(now // SECOND)
    signature = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": content_type,
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
