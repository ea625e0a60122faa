"""The profile change: what an upstream may write on one profile, checked field by field.

`ProfileChangeMessage` is the wire format (its JSON Schema is generated from it); `ProfileChange` is what the rest of
the core works on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shared.domain.instants import MINUTE, format_instant, parse_instant
from shared.domain.jsonvalue import MAX_DEPTH, JsonObject, deeper_than
from shared.domain.problems import describe_problems
from shared.domain.profile.memberships import AudienceKey, Membership

MAX_PROFILE_ID_LENGTH = 2_000
MAX_CHANGE_ID_LENGTH = 200
CLOCK_TOLERANCE = 5 * MINUTE


def _check_instant(text: str) -> str:
    parse_instant(text)
    return text


InstantText = Annotated[str, AfterValidator(_check_instant)]
Name = Annotated[str, Field(min_length=1)]


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)


class IdentityItem(_Wire):
    """One identity; members other than `id` are accepted and not kept."""

    id: Name


class MembershipItem(_Wire):
    """One audience membership. `existing` means `realized`, `exiting` means `exited`."""

    status: Literal["realized", "exited", "existing", "exiting"]
    last_qualification_time: InstantText
    valid_until: InstantText | None = None


class ProfileChangeMessage(_Wire):
    """What was written on one profile, at `occurredAt`."""

    model_config = ConfigDict(extra="forbid", title="Profile change")

    profile_id: Annotated[str, Field(min_length=1, max_length=MAX_PROFILE_ID_LENGTH)]
    occurred_at: InstantText
    change_id: Annotated[str, Field(max_length=MAX_CHANGE_ID_LENGTH)] | None = None
    attributes: dict[str, Any] = Field(default_factory=dict, description="JSON merge patch (RFC 7396): null removes")
    identity_map: dict[Name, list[IdentityItem]] | None = Field(
        default=None, description="The whole identity map, when present; {} or null clears it"
    )
    segment_membership: dict[Name, dict[Name, MembershipItem]] = Field(default_factory=dict)
    deleted: bool = Field(
        default=False,
        description="True forgets the profile as it was until occurredAt; nothing else is read then",
    )


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """`identities` is None where the change leaves the identity map alone. `deleted`: nothing else in it matters."""

    profile_id: str
    occurred_at: int
    change_id: str | None
    attributes: JsonObject
    identities: dict[str, list[str]] | None
    memberships: dict[AudienceKey, Membership]
    deleted: bool = False


class InvalidChangeError(ValueError):
    """One item cannot be understood. `problems` name each field as a JSON Pointer and what was expected there."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


def parse_change(item: object, now: int) -> ProfileChange:
    """The profile change that `item` (parsed JSON) describes, `now` being the clock in microseconds.

    Raises InvalidChangeError; its text holds field names and expectations, never values.
    """
    if not isinstance(item, dict):
        raise InvalidChangeError(["expected an object with profileId and occurredAt"])
    if deeper_than(item, MAX_DEPTH):
        raise InvalidChangeError([f"expected at most {MAX_DEPTH} levels of nesting"])
    try:
        message = ProfileChangeMessage.model_validate(item)
    except ValidationError as error:
        raise InvalidChangeError(describe_problems(error)) from None
    occurred_at = parse_instant(message.occurred_at)
    if occurred_at > now + CLOCK_TOLERANCE:
        raise InvalidChangeError(
            [f"/occurredAt: expected at most 5 minutes ahead of the clock, which was at {format_instant(now)}"]
        )
    return ProfileChange(
        profile_id=message.profile_id,
        occurred_at=occurred_at,
        change_id=message.change_id,
        attributes=message.attributes,
        identities=_identities(message),
        memberships={
            (namespace, audience_id): Membership.written(
                occurred_at,
                realized=written.status in {"realized", "existing"},
                last_qualification_time=written.last_qualification_time,
                valid_until=written.valid_until,
            )
            for namespace, audiences in message.segment_membership.items()
            for audience_id, written in audiences.items()
        },
        deleted=message.deleted,
    )


def _identities(message: ProfileChangeMessage) -> dict[str, list[str]] | None:
    if "identity_map" not in message.model_fields_set:
        return None
    return {
        namespace: list(dict.fromkeys(identity.id for identity in identities))
        for namespace, identities in (message.identity_map or {}).items()
        if identities
    }
