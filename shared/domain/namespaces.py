"""Which hosts count as an Event Hubs namespace: whoever connects a destination chooses where the app connects to.

A private endpoint makes such a name resolve to a private address, so addresses are not looked at: the suffix is the
guard. Only Azure can make names below it.
"""

import re

SUFFIXES = ("servicebus.windows.net", "servicebus.chinacloudapi.cn", "servicebus.usgovcloudapi.net")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,48}[a-z0-9])?", re.ASCII)
_LOCAL = re.compile(r"(?:127\.0\.0\.1|localhost):([0-9]{1,5})", re.ASCII)


def parse_namespace(text: str, *, local_allowed: bool = False) -> str:
    """The host of a namespace, in lower case, given as that or as the name alone (which means the public cloud).

    With `local_allowed`, 127.0.0.1:PORT and localhost:PORT are taken, too. Raises ValueError for everything else.
    """
    host = text.lower() if text.isascii() else ""  # some letters that are not ASCII are ASCII in lower case
    name, _, suffix = host.partition(".")
    if _NAME.fullmatch(name) and not name.startswith("xn--") and host != "localhost":
        if not suffix and host == name:
            return f"{name}.{SUFFIXES[0]}"
        if suffix in SUFFIXES:
            return host
    if local_allowed and is_local_namespace(host):
        return host
    local = ", or 127.0.0.1:PORT on the local stack" if local_allowed else ""
    raise ValueError(
        f"expected the name of an Event Hubs namespace, such as contoso, or its host, such as contoso.{SUFFIXES[0]}, "
        f"without scheme, port or path{local}"
    )


def is_local_namespace(namespace: str) -> bool:
    """Whether it is one on this machine, which only the local stack may use; there is no TLS."""
    local = _LOCAL.fullmatch(namespace)
    return local is not None and 0 < int(local[1]) < 65_536
