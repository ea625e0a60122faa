"""What the API takes and gives of profiles, of what is undelivered and of what is in quarantine."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH
from shared.ports.quarantine import StoredQuarantinedItem
from shared.web.api.models.views import View

ProfileId = Annotated[str, Field(min_length=1, max_length=MAX_PROFILE_ID_LENGTH)]
RowState = Literal["retrying", "parked", "dead"]


class _Asked(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class ProfileQuestion(_Asked):
    profile_id: ProfileId


class DryRunQuestion(ProfileQuestion):
    """`change`: as in a message; its profileId may be left out. Without one: what each would be told again."""

    change: Any = None


class UndeliveredView(View):
    """What a destination has not heard of a profile. `profileKey` is the SHA-256 of the profile id."""

    destination_id: str
    profile_key: str
    profile_id: str
    state: RowState
    profile_version: int
    reasons: list[str]
    occurred_at: str
    attempts: int
    first_failed_at: str
    last_failed_at: str
    last_error: str
    permanent: bool


class ProfileDocument(View):
    """All that is remembered of a profile. `due`: exports that the redelivery of a queue message would send again."""

    profile_id: str
    profile_key: str
    profile_version: int
    attributes: dict[str, Any]
    identity_map: dict[str, list[dict[str, str]]]
    segment_membership: dict[str, dict[str, dict[str, Any]]]
    due: list[dict[str, Any]]
    deletion: dict[str, Any] | None = Field(description="When it was deleted, how far that is, who must still hear")
    undelivered: list[UndeliveredView]


class VerdictView(View):
    """What one destination would hear: an `export`, or nothing, and `why` not."""

    destination_id: str
    outcome: Literal["sent", "parked", "nothing"]
    why: list[str]
    held_back: str | None = Field(description="Why an export would be parked instead of sent")
    export: dict[str, Any] | None = Field(description="messageId, reasons, applicationProperties, body")
    realized_in: list[dict[str, str]]
    left: list[dict[str, str]]
    undelivered: UndeliveredView | None


class DryRunView(View):
    """`problems`: why the change would go to quarantine; then there are no destinations."""

    profile_id: str
    at: str
    profile_version: int
    altered: bool
    problems: list[str]
    destinations: list[VerdictView]


class UndeliveredList(View):
    """`next`: what to give as `token` for the page that follows, null at the end. A page may be short, even empty."""

    undelivered: list[UndeliveredView]
    next: str | None


class UndeliveredCountView(View):
    """`complete` false: there are at least so many."""

    states: dict[str, int]
    total: int
    complete: bool


class UndeliveredSummary(View):
    """By destination id. `redriveRequestedAt`: redrives that were asked for and are not done."""

    destinations: dict[str, UndeliveredCountView]
    redrive_requested_at: dict[str, str]


class RedriveRequestView(View):
    destination_id: str
    requested_at: str


class RedriveView(View):
    """What came of an attempt, and the row as it is after it, null where it is gone."""

    outcome: Literal["sent", "kept", "failed", "refused", "parked", "dropped"]
    undelivered: UndeliveredView | None


class QuarantineEntryView(View):
    """`item` is the item's index in its message, null for all of it."""

    row_id: str
    message_id: str
    item: int | None
    received_at: str
    reason: str
    profile_key: str | None


class QuarantineList(View):
    """`next`: what to give as `token` for the page that follows, null at the end. A page may be short, even empty."""

    entries: list[QuarantineEntryView]
    next: str | None


class QuarantinedView(QuarantineEntryView):
    """With the bytes as they were received: in `body` where they are text, else in `bodyBase64`."""

    body: str | None = None
    body_base64: str | None = None

    @classmethod
    def of(cls, stored: StoredQuarantinedItem) -> "QuarantinedView":
        return cls.model_validate(stored.to_json())


class ReplayedView(View):
    row_id: str
