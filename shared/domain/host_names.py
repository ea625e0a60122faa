"""By which names the Functions host takes a setting that the app takes by one.

It tells no upper from lower case. Where a connection is named it prefers `AzureWebJobs` before the name, and the
platform's connection strings to its app settings.
"""

import re
from collections.abc import Iterable

_PLACES = r"(?P<section>ConnectionStrings__|[A-Z]+CONNSTR_)?(?P<prefix>AzureWebJobs)?"


def names_instead(setting: str, names: Iterable[str], *, connection: bool = False) -> list[str]:
    """Those of `names` that the host may take in place of `setting`, first what it prefers; not `setting` itself.

    A `connection` may consist of several, with `__` in between.
    """
    pattern = re.compile(f"{_PLACES if connection else ''}{setting}{'(?:__.+)?' if connection else ''}", re.IGNORECASE)
    found = [match for match in map(pattern.fullmatch, names) if match and match[0].partition("__")[0] != setting]
    if connection:
        found.sort(key=lambda match: (match["prefix"] is None, match["section"] is None))
    return [match[0] for match in found]
