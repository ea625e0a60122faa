"""How a resync is asked for: who of a dataflow is to be exported once more.

`ResyncRequest` is what the API takes, `ResyncMessage` the same on the queue of profile changes.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared.domain.configuration.model import Identifier, Text
from shared.domain.problems import describe_problems
from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH, InstantText, InvalidChangeError

MOST_PROFILES = 10_000
_ProfileId = Annotated[str, Field(min_length=1, max_length=MAX_PROFILE_ID_LENGTH)]
_KeyPrefix = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]


class _Asked(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", populate_by_name=True, strict=True)


class Everything(_Asked):
    """All members of the mapped audiences, and those who left one within the last 30 days."""

    type: Literal["everything"]


class OneAudience(_Asked):
    """The same of one mapped audience."""

    type: Literal["audience"]
    id: Text
    namespace: Text = "ups"


class SomeProfiles(_Asked):
    """The same of these profiles."""

    type: Literal["profiles"]
    profile_ids: Annotated[list[_ProfileId], Field(min_length=1, max_length=MOST_PROFILES)]


class SavedSince(_Asked):
    """The same of the profiles that were saved at this time or later."""

    type: Literal["saved-since"]
    since: InstantText


class KeyRange(_Asked):
    """The same of the profiles whose `profileKey`, the SHA-256 of the id, begins with `first`, with `last`, or lies
    between; each is written in hexadecimal digits, of which there may be fewer than 64.
    """

    type: Literal["key-range"]
    first: _KeyPrefix
    last: _KeyPrefix


Scope = Annotated[Everything | OneAudience | SomeProfiles | SavedSince | KeyRange, Field(discriminator="type")]


class ResyncRequest(_Asked):
    """`idempotencyKey`: the same again is the same resync, for 30 days. `ifRunning`: what becomes of a resync of the
    dataflow that has not ended; `join` takes it for this one if it has the same scope, `replace` cancels it.
    """

    scope: Scope
    idempotency_key: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    if_running: Literal["refuse", "join", "replace"] = "refuse"


class MessageResync(ResyncRequest):
    """`destination` is the id of one that takes resyncs by message (`resyncByMessage`)."""

    destination: Identifier


class ResyncMessage(_Asked):
    """What a consumer may ask for by the queue of profile changes."""

    model_config = ConfigDict(title="Resync item")

    resync: MessageResync


def is_resync_item(item: object) -> bool:
    """Whether `item` is to be taken for one; whatever names a profile is a profile change."""
    return isinstance(item, dict) and "resync" in item and "profileId" not in item


def parse_resync(item: object) -> MessageResync:
    """What `item` (parsed JSON) asks for. Raises InvalidChangeError; its text holds no values."""
    try:
        return ResyncMessage.model_validate(item).resync
    except ValidationError as error:
        raise InvalidChangeError(describe_problems(error)) from None
