"""The connection string of a storage account: checked and put into one form, so that no SDK fails on it later."""

import base64
from urllib.parse import urlsplit

_LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1"}
_SERVICES = ("Blob", "Queue", "Table", "File")
_EXPECTED = (
    "expected a storage connection string, such as "
    "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net"
)
_KNOWN = {
    *("defaultendpointsprotocol", "accountname", "accountkey", "endpointsuffix", "sharedaccesssignature"),
    *("usedevelopmentstorage", "developmentstorageproxyuri"),
    *(f"{service.lower()}{kind}endpoint" for service in _SERVICES for kind in ("", "secondary")),
}
_SPACED = ("accountkey", "endpoint", "sharedaccesssignature")
"""Around whose values the host takes spaces."""
# Azurite's published account, which is the same on every machine and protects nothing.
_DEVELOPMENT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"
)


def storage_connection_string(text: str) -> str:
    """The same without spaces and empty parts, `UseDevelopmentStorage=true` spelt out.

    Raises ValueError, which repeats nothing of `text`.
    """
    parts = _parts(text)
    names = {name.lower(): value for name, value in parts.items()}
    if list(names) == ["usedevelopmentstorage"] and names["usedevelopmentstorage"].lower() == "true":
        return _DEVELOPMENT
    signed = bool(names.get("sharedaccesssignature"))
    endpoints = [names[key] for service in _SERVICES if (key := f"{service.lower()}endpoint") in names]
    if not (signed and endpoints) and not (names.get("accountname") and (signed or names.get("accountkey"))):
        raise ValueError(_EXPECTED)
    if not signed and not _is_base64(names["accountkey"]):
        raise ValueError("expected an AccountKey in base64, as the portal shows it")
    if not all(map(_is_url, endpoints)):
        raise ValueError("expected each …Endpoint to be a URL, such as https://contoso.table.core.windows.net")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def refused_by_the_host(text: str) -> str | None:
    """What the Functions host cannot take of a connection string that the app can; None where it takes all of it."""
    pairs = [part.partition("=") for part in text.split(";")]
    if any(
        name != name.strip() or (value != value.strip() and not name.lower().endswith(_SPACED))
        for name, _, value in pairs
    ):
        return "expected no spaces and no ends of lines in it: the host takes none"
    parts = {name.lower(): value for name, value in _parts(text).items()}
    if not parts.keys() <= _KNOWN:
        return f"{_EXPECTED}: the host takes nothing else in it"
    if parts.get("defaultendpointsprotocol", "https").lower() not in ("http", "https"):
        return "expected DefaultEndpointsProtocol=https"
    if not parts.get("endpointsuffix", "core.windows.net"):
        return "expected EndpointSuffix=core.windows.net, or no EndpointSuffix"
    return None


def reaches(connection_string: str, service: str) -> bool:
    """Whether it says where the account's `service` is, such as `Queue`: a name says it of all."""
    names = {name.lower() for name in _parts(connection_string)}
    return "accountname" in names or f"{service.lower()}endpoint" in names


def local_storage(text: str) -> bool:
    """Whether all services that the connection string `text` reaches are on this machine; False of none."""
    try:
        parts = _parts(storage_connection_string(text))
    except ValueError:
        return False
    needed = [parts.get(f"{service}Endpoint", "") for service in ("Table", "Queue")]
    return all(
        map(on_this_machine, [*needed, *(parts[key] for key in ("BlobEndpoint", "FileEndpoint") if key in parts)])
    )


def on_this_machine(url: str) -> bool:
    """False of what is no URL: triggers ask this as they are indexed, where an exception takes every function away."""
    try:
        return urlsplit(url).hostname in _LOCAL_HOSTS
    except ValueError:
        return False


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _parts(text: str) -> dict[str, str]:
    """The parts by name, as they are spelt. Raises ValueError."""
    parts: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or not name or name in parts:
            raise ValueError(_EXPECTED)
        parts[name] = value
    return parts


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False
