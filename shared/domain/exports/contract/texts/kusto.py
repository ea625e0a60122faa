"""Azure Data Explorer and Fabric's Eventhouse, which see bodies alone.

All names are in brackets, for bare ones such as `title`, `kind` or `date` are refused in places.
"""

import re

from shared.domain.configuration.targets import Target
from shared.domain.exports.contract.texts.text import Text, by_namespace, columns_of, listed, needs_metadata
from shared.domain.profile.attributes import Path

TABLE = "ProfileExports"
MAPPING = "profile_exports"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def kusto(target: Target) -> Text:
    """Table, mapping and the view that keeps the rule; then what is asked of them."""
    table = _chosen(target, "Table", TABLE)
    mapping = _chosen(target, "IngestionMappingReference", MAPPING)
    whole = '[{"column": "body", "Properties": {"Path": "$"}}]'
    columns = [f"['{each.name}'] = {_at(each.path)}" for each in columns_of(target)]
    blocks = [
        f".create table {table} (body: dynamic)\n",
        f".create table {table} ingestion json mapping '{mapping}' '{whole}'\n",
        f"""\
.create materialized-view CurrentProfiles on table {table} {{
    {table}
    | extend
        destinationId = tostring(body['_export']['destinationId']),
        profileId = tostring(body['_export']['profileId']),
        rank = tolong(body['_export']['profileVersion']) * 1000 + tolong(body['_export']['configRevision'])
    | summarize arg_max(rank, body) by destinationId, profileId
}}
""",
        f"""\
CurrentProfiles
| where destinationId == {_text(target.id)}
| mv-expand kind=array namespace = body['segmentMembership']
| mv-expand kind=array membership = namespace[1]
| where tostring(membership[1]['status']) == 'realized'
| where {_mapped(target)}
| project profileId, namespace = tostring(namespace[0]), audience = tostring(membership[0])
""",
        f"""\
CurrentProfiles
| where destinationId == {_text(target.id)}
| project
    {listed(["profileId", *columns], 4)}
""",
        f"""\
{table}
| where tostring(body['_export']['destinationId']) == {_text(target.id)}
| mv-expand transition = body['_export']['transitionIds'] to typeof(string)
| summarize take_any(body) by transition
| project
    transition,
    way = tostring(split(transition, '-')[0]),
    profileId = tostring(body['_export']['profileId']),
    at = todatetime(body['_export']['occurredAt'])
""",
    ]
    if not columns:
        del blocks[4]
    return Text(
        "Azure Data Explorer and Fabric", "azure-data-explorer.kql", "kusto", tuple(blocks), needs_metadata(target)
    )


def _chosen(target: Target, name: str, otherwise: str) -> str:
    """The destination's static property of that name, if it is a plain name."""
    value = target.destination.static_properties.get(name, "")
    return value if _PLAIN.fullmatch(value) else otherwise


def _at(path: Path) -> str:
    return "body" + "".join(f"[{_text(key)}]" for key in path)


def _mapped(target: Target) -> str:
    among = (
        f"tostring(namespace[0]) == {_text(namespace)} and tostring(membership[0]) in ({', '.join(map(_text, ids))})"
        for namespace, ids in by_namespace(target)
    )
    return " or ".join(f"({each})" for each in among) or "false"


def _text(text: str) -> str:
    escaped = "".join(_escaped(each) for each in text)
    return f"'{escaped}'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    return (
        character
        if character.isprintable()
        else "".join(f"\\u{unit:04x}" for unit in memoryview(character.encode("utf-16-le")).cast("H"))
    )
