"""Where consumers keep their checkpoints: the URL of a blob container, which the app reads as itself.

Whoever manages destinations chooses where the app connects to, so the suffix of the account's name is the guard: only
Azure can make names below it. A secret has no place in the URL, for it is shown and stored as it is.
"""

import re
from dataclasses import dataclass

_EXPECTED = (
    "expected the URL of a blob container, such as https://contoso.blob.core.windows.net/crm-checkpoints, without a "
    "port, a query or a path below it"
)
_ACCOUNT = re.compile(
    r"https://[a-z0-9]{3,24}\.(?:z[0-9]{2}\.blob\.storage\.azure\.net"
    r"|blob\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net))",
    re.ASCII,
)
_LOCAL_ACCOUNT = re.compile(r"http://(?:127\.0\.0\.1|localhost):[0-9]{1,5}/[a-z0-9]{3,24}", re.ASCII)
_SIGNATURE = re.compile(r"\?|sig=", re.IGNORECASE)
_CONNECTION_STRING = re.compile(";|accountkey", re.IGNORECASE)
_NAME = re.compile(r"(?!.{64})[a-z0-9](?:-?[a-z0-9]){2,}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckpointContainer:
    """`account` is the URL of the account's blobs, without a slash at its end; `is_local`: on this machine."""

    account: str
    name: str

    @property
    def is_local(self) -> bool:
        return _LOCAL_ACCOUNT.fullmatch(self.account) is not None

    @property
    def url(self) -> str:
        return f"{self.account}/{self.name}"


def parse_checkpoint_container(text: str) -> CheckpointContainer:
    """Raises ValueError, which repeats nothing of `text`: people paste what they have, keys included."""
    if _SIGNATURE.search(text):
        raise ValueError(
            "expected a URL without a shared access signature, which is a secret: the app reads the container by its "
            "own identity; give that the role Storage Blob Data Reader there"
        )
    if _CONNECTION_STRING.search(text):
        raise ValueError(
            "expected the URL of the container alone and no connection string, which holds a secret: the app reads "
            "the container by its own identity; give that the role Storage Blob Data Reader there"
        )
    account, _, name = text.removesuffix("/").rpartition("/")
    known = _ACCOUNT.fullmatch(account) or _LOCAL_ACCOUNT.fullmatch(account)
    if not known or not _NAME.fullmatch(name):
        raise ValueError(_EXPECTED)
    return CheckpointContainer(account, name)


def without_secret(text: str) -> str:
    """What may be shown again of what was typed for the URL: nothing where a signature or a key may be in it."""
    return "" if _SIGNATURE.search(text) or _CONNECTION_STRING.search(text) else text
