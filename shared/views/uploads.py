"""Uploads of an audience's members."""

from pydantic import Field

from shared.domain.backfills.upload_view import Upload
from shared.domain.instants import SECOND
from shared.services.backfills.uploads import CreatedUpload
from shared.views.view import Instant, InstantOrNone, TextOrNone, View


class BadLineView(View):
    line: int = Field(description="Its number in the file, from 1")
    reason: str


class UploadView(View):
    """Times are null where something has not happened."""

    id: str
    audience: dict[str, str]
    state: str = Field(description="created, waiting, running, done, failed or cancelled")
    replace: bool
    force: bool
    bytes: int = Field(description="Of the file, once it is committed")
    lines: int = Field(description="Read so far, without the header and empty ones")
    accepted: int
    bad: int
    bad_lines: list[BadLineView] = Field(description="The first 100 of them")
    exits: int = Field(description="Members that the file does not list and that leave, with `replace`")
    share: float = Field(description="How much is done, from 0 to 1")
    created_at: Instant
    committed_at: InstantOrNone = Field(description="Also the time of all its changes")
    started_at: InstantOrNone
    finished_at: InstantOrNone
    note: TextOrNone = Field(description="Why it ended as it did, or what keeps it from going on")

    @classmethod
    def of(cls, upload: Upload) -> "UploadView":
        namespace, audience_id = upload.audience
        order, tally = upload.order, upload.tally
        return cls(
            id=upload.id,
            audience={"namespace": namespace, "id": audience_id},
            state=upload.state,
            replace=order.replace,
            force=order.force,
            bytes=order.size,
            lines=tally.lines,
            accepted=tally.accepted,
            bad=tally.bad,
            bad_lines=[BadLineView.model_validate(each) for each in tally.bad_lines],
            exits=tally.exits,
            share=round(upload.share, 3),
            created_at=upload.created_at,
            committed_at=order.time,
            started_at=upload.started_at,
            finished_at=upload.finished_at,
            note=upload.note,
        )


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
            upload=UploadView.of(created.upload),
            url=access.url,
            headers=dict(access.headers),
            expires_at=access.expires_at // SECOND * SECOND,
        )


class UploadList(View):
    uploads: list[UploadView]
