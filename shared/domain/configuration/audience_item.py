"""The audience item: what an upstream may write on the catalog, beside profile changes on the same queue.

`AudienceMessage` is the wire format (its JSON Schema is generated from it); `AudienceChange` is what the rest of the
core works on.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.domain.configuration.model import Audience
from shared.domain.instants import MILLISECOND, YEAR_2000_MS, format_instant
from shared.domain.problems import describe_problems
from shared.domain.profile.change import CLOCK_TOLERANCE, InvalidChangeError


class WrittenAudience(Audience):
    """A whole entry of the catalog: what is left out is not kept, but for the times.

    `updatedAt` orders what is written of an audience; without it, what arrives last counts.
    """

    deleted: bool = Field(default=False, description="True removes the audience from the catalog")

    @model_validator(mode="after")
    def _require_name(self) -> "WrittenAudience":
        if not self.deleted and "name" not in self.model_fields_set:
            raise ValueError("expected name, which only a deleted audience can do without")
        return self


class AudienceMessage(BaseModel):
    """What was written on one audience."""

    model_config = ConfigDict(extra="forbid", strict=True, title="Audience item")

    audience: WrittenAudience


@dataclass(frozen=True, slots=True)
class AudienceChange:
    """`deleted`: of `audience` nothing but its key and updatedAt matters."""

    audience: Audience
    deleted: bool = False


def is_audience_item(item: object) -> bool:
    """Whether `item` is to be taken for one; whatever names a profile is a profile change."""
    return isinstance(item, dict) and "audience" in item and "profileId" not in item


def parse_audience(item: object, now: int) -> AudienceChange:
    """The change of the catalog that `item` (parsed JSON) describes, `now` being the clock in microseconds.

    Raises InvalidChangeError; its text holds field names and expectations, never values.
    """
    try:
        written = AudienceMessage.model_validate(item).audience
    except ValidationError as error:
        raise InvalidChangeError(describe_problems(error)) from None
    # No catalog is older: times in seconds seem to be, and would be stale without a word.
    latest = (now + CLOCK_TOLERANCE) // MILLISECOND
    for name, time in (("createdAt", written.created_at), ("updatedAt", written.updated_at)):
        if time is not None and not YEAR_2000_MS <= time <= latest:
            raise InvalidChangeError(
                [
                    f"/audience/{name}: expected ISO 8601 or milliseconds since 1970 (not seconds), from 2000 on and "
                    f"at most 5 minutes ahead of the clock, which was at {format_instant(now)}"
                ]
            )
    return AudienceChange(Audience(**written.model_dump(exclude={"deleted"})), written.deleted)
