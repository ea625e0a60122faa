"""By which names the Functions host takes a setting that the app takes by one.

It tells no upper from lower case. Where a connection is named it prefers `AzureWebJobs` before the name, and the
platform's connection strings to its app settings.
"""

import re
from collections.abc import Iterable, Mapping

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


def as_the_host_reads(environment: Mapping[str, str], setting: str, *, connection: bool = False) -> Mapping[str, str]:
    """The same, but `setting` has the value by which the host has its messages, as far as one value says it."""
    for name in names_instead(setting, environment, connection=connection):
        is_preferred = name.lower() != setting.lower()
        if name.lower().endswith(setting.lower()) and (is_preferred or not environment.get(setting)):
            return {**environment, setting: environment[name]}
    return environment
