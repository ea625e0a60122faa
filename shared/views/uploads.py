"""Uploads of an audience's members."""

from typing import Literal

from pydantic import Field

from shared.domain.instants import SECOND
from shared.services.backfills.uploads import CreatedUpload
from shared.views.view import Audience, Instant, InstantOrNone, Share, TextOrNone, View


class BadLineView(View):
    line: int = Field(description="Its number in the file, from 1")
    reason: str


class UploadView(View):
    """Times are null where something has not happened."""

    id: str
    audience: Audience
    state: str = Field(description="created, waiting, running, done, failed or cancelled")
    format: Literal["csv", "ndjson"]
    refresh: bool = Field(description="There is no file: members stay for longer, `accepted` of them so far")
    replace: bool
    force: bool
    bytes: int = Field(description="Of the file, once it is committed")
    lines: int = Field(description="Read so far, without the header and empty ones")
    accepted: int
    bad: int
    bad_lines: list[BadLineView] = Field(description="The first 100 of them")
    exits: int = Field(description="Members that the file does not list and that leave, with `replace`")
    share: Share = Field(description="How much is done, from 0 to 1")
    created_at: Instant
    committed_at: InstantOrNone = Field(description="Also the time of all its changes")
    started_at: InstantOrNone
    finished_at: InstantOrNone
    note: TextOrNone = Field(description="Why it ended as it did, or what keeps it from going on")


class CreatedUploadView(View):
    """An upload, and the address to write its file to."""

    upload: UploadView
    url: str = Field(description="PUT the file here; to be kept secret")
    headers: dict[str, str] = Field(description="To be sent with the file")
    expires_at: Instant

    @classmethod
    def of(cls, created: CreatedUpload) -> "CreatedUploadView":
        access = created.access
        return cls(
            upload=UploadView.model_validate(created.upload),
            url=access.url,
            headers=dict(access.headers),
            expires_at=access.expires_at // SECOND * SECOND,
        )


class UploadList(View):
    uploads: list[UploadView]
