"""Application properties that a destination has put on each of its exports, as `Table` for Azure Data Explorer."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

MOST = 20
OWN_PROPERTIES = frozenset(
    {
        *("reason", "destinationId", "profileId", "profileVersion", "configRevision", "occurredAt"),
        *("entered", "left", "transitionIds", "transitionsOmitted", "present"),
        *("traceparent", "tracestate", "Diagnostic-Id"),
    }
)
"""Of an export itself."""
_TAKEN = frozenset(name.lower() for name in OWN_PROPERTIES)


def _checked(properties: dict[str, str]) -> dict[str, str]:
    """Names that differ in case alone are one name to some readers."""
    if len(properties) > MOST:
        raise ValueError(f"expected at most {MOST} properties")
    seen = set(_TAKEN)
    for name in properties:
        if name.lower() in _TAKEN:
            raise ValueError(f"expected names of your own, but each export has {name} already")
        if name.lower() in seen:
            raise ValueError(f"expected each name once, whatever its case, but {name} comes again")
        seen.add(name.lower())
    return properties


PropertyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,127}$")]
PropertyValue = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$")]
StaticProperties = Annotated[
    dict[PropertyName, PropertyValue],
    AfterValidator(_checked),
    Field(json_schema_extra={"maxProperties": MOST}),
]
