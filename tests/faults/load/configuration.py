"""The configuration that the fault load runs on: four destinations that differ in whatever destinations can differ in.

Each has audiences of its own, all of one merge policy: two that it maps, one that it only shows, and one for closing
changes. `everyone` is mapped by all of them and is in no catalog. Times are given, so that the model knows them.

Where audiences are mapped late, or a dataflow is paused, backfills make up for it: in the end each destination must
show the same.
"""

from collections.abc import Mapping
from typing import Any

DESTINATIONS = ("crm", "analytics", "mail", "ads")
PARTITIONS = 4
EVERYONE = "everyone"
_CREATED_AT = 1_700_000_000_000


def members(destination: str) -> str:
    return f"{destination}-members"


def buyers(destination: str) -> str:
    return f"{destination}-buyers"


def lookalikes(destination: str) -> str:
    """Not mapped by `destination`, but of the merge policy of its audiences, and so shown by all but `ads`."""
    return f"{destination}-lookalikes"


def closing(destination: str) -> str:
    """What a profile enters last of all, once, so that `destination` must hear of it as it is in the end."""
    return f"{destination}-closing"


_TOGGLES: dict[str, dict[str, Any]] = {
    "crm": {},
    "analytics": {"includeSegmentNames": True, "includeSegmentTimestamps": True},
    "mail": {"includeSegmentTimestamps": True},
    "ads": {"includeSegmentNames": True, "onlyMappedAudiences": True},
}
_ATTRIBUTES = {
    "crm": ["/person/name", "/loyalty/tier", "/score"],
    "analytics": ["loyalty", "consents", "cart.items"],
    "mail": ["/person/name/first", "/person", "/personalEmail/address"],
    "ads": ["/score", "/consents/ads"],
}


def configuration() -> dict[str, Any]:
    """As it stands in a declarative file."""
    return {
        "audiences": [
            {
                "id": audience,
                "name": f"Audience {audience}",
                "mergePolicyId": f"policy-{destination}",
                "createdAt": _CREATED_AT + number,
                "updatedAt": _CREATED_AT + 10 + number,
            }
            for destination in DESTINATIONS
            for number, audience in enumerate(
                (members(destination), buyers(destination), lookalikes(destination), closing(destination))
            )
        ],
        "destinations": [
            {
                "id": destination,
                "name": destination.upper(),
                "eventHubName": destination,
                "settle": True,
                **_TOGGLES[destination],
            }
            for destination in DESTINATIONS
        ],
        "dataflows": [
            {
                "id": destination,
                "audiences": [
                    {"id": audience, "mappingCreatedAt": _CREATED_AT + 20, "mappingUpdatedAt": _CREATED_AT + 30}
                    for audience in (members(destination), buyers(destination), closing(destination), EVERYONE)
                ],
                "attributes": _ATTRIBUTES[destination],
                "skipSameValueWrites": destination == "mail",
            }
            for destination in DESTINATIONS
        ],
    }


PAUSED = "mail"
"""The destination that is paused where audiences are mapped late; it maps all of them from the beginning."""


def before_mapping(*, paused: bool) -> dict[str, Any]:
    """What there is ahead of `configuration()`: all but PAUSED map nothing but their audiences for closing changes."""
    document = configuration()
    return document | {"dataflows": [_before(dataflow, paused) for dataflow in document["dataflows"]]}


def _before(dataflow: Mapping[str, Any], paused: bool) -> dict[str, Any]:
    if dataflow["id"] == PAUSED:
        return {**dataflow, "enabled": not paused}
    mapped = [audience for audience in dataflow["audiences"] if audience["id"] == closing(dataflow["id"])]
    return {**dataflow, "audiences": mapped}
