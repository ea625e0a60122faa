"""Uploads of an audience's members from CSV or NDJSON files."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from shared.domain.backfills.upload import UploadFormat
from shared.domain.backfills.upload_view import Upload
from shared.domain.profile.change import InstantText
from shared.domain.profile.memberships import AudienceKey
from shared.errors import NoSuchUploadError
from shared.services.wiring import Services
from shared.views.uploads import CreatedUploadView, UploadList, UploadView
from shared.web.context import AppServices
from shared.web.guarded import FILE_TYPES, LARGEST_FILE, GuardedRoute, needs, note
from shared.web.parameters import AudienceId, Namespace
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/audiences/{audience_id}", tags=["uploads"], route_class=GuardedRoute)

UploadId = Annotated[str, Path(description="The upload's id", pattern=r"^[A-Za-z0-9-]{1,128}$")]
Replace = Annotated[bool, Query(description="Whoever the file does not list leaves the audience")]
Force = Annotated[bool, Query(description="With `replace`: even if the file has bad lines")]

_READING = needs(Permission.VIEW_SEGMENTS)
_WRITING = (Permission.ACTIVATE_DESTINATIONS, Permission.VIEW_SEGMENTS)
Format = Annotated[UploadFormat, Query(alias="format", description="Of the file that will be written")]
_FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "UTF-8. CSV (RFC 4180) with a header: `profileId` and, if wanted, `validUntil`; or NDJSON, an "
        "object with these members a line",
        "content": {media_type: {"schema": {"type": "string"}} for media_type in FILE_TYPES},
    }
}


@router.post(
    "/members",
    summary="Upload members from a CSV or NDJSON file of at most 4 MiB",
    status_code=202,
    openapi_extra=needs(*_WRITING, accepts=FILE_TYPES, largest=LARGEST_FILE) | _FILE_BODY,
)
async def upload_members(
    services: AppServices,
    request: Request,
    audience_id: AudienceId,
    namespace: Namespace = "ups",
    replace: Replace = False,
    force: Force = False,
) -> UploadView:
    """Creates an upload, writes its file and commits it at once. Bad lines are told of by the upload."""
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    upload = await services.audience_uploads.take(
        (namespace, audience_id),
        body,
        replace=replace,
        force=force,
        file_format="ndjson" if media_type == FILE_TYPES[1] else "csv",
    )
    note(request, f"upload {upload.id} committed, {upload.bytes} bytes")
    return UploadView.model_validate(upload)


@router.post(
    "/members/refresh",
    summary="Let an audience's members stay for longer",
    status_code=202,
    openapi_extra=needs(*_WRITING),
)
async def refresh_members(
    services: AppServices,
    request: Request,
    audience_id: AudienceId,
    namespace: Namespace = "ups",
    valid_until: Annotated[
        InstantText | None, Query(alias="validUntil", description="Until then; else as if they were uploaded now")
    ] = None,
) -> UploadView:
    """Members of now lapse later. Nobody enters or leaves by it, and nobody is exported. It is listed with uploads."""
    upload = await services.audience_uploads.refresh((namespace, audience_id), valid_until)
    note(request, f"refresh {upload.id} begun")
    return UploadView.model_validate(upload)


@router.post(
    "/uploads", summary="Create an upload for a file of any size", status_code=201, openapi_extra=needs(*_WRITING)
)
async def create_upload(
    services: AppServices,
    request: Request,
    audience_id: AudienceId,
    namespace: Namespace = "ups",
    replace: Replace = False,
    force: Force = False,
    file_format: Format = "csv",
) -> CreatedUploadView:
    """PUT the file to `url` with the `headers`, then commit the upload. The address is a secret: it lets anybody write
    this file until it expires, and nothing else.
    """
    created = await services.audience_uploads.create(
        (namespace, audience_id), replace=replace, force=force, file_format=file_format
    )
    note(request, f"upload {created.upload.id} created")
    return CreatedUploadView.of(created)


@router.get("/uploads", summary="List the uploads of the last 30 days", openapi_extra=_READING)
async def list_uploads(services: AppServices, audience_id: AudienceId, namespace: Namespace = "ups") -> UploadList:
    """Those of the audience, the oldest first."""
    uploads = await services.audience_uploads.list((namespace, audience_id))
    return UploadList(uploads=[UploadView.model_validate(upload) for upload in uploads])


@router.get("/uploads/{upload_id}", summary="Get an upload", openapi_extra=_READING)
async def get_upload(
    services: AppServices, audience_id: AudienceId, upload_id: UploadId, namespace: Namespace = "ups"
) -> UploadView:
    return UploadView.model_validate(await _of_audience(services, (namespace, audience_id), upload_id))


@router.post("/uploads/{upload_id}/commit", summary="Commit an upload", status_code=202, openapi_extra=needs(*_WRITING))
async def commit_upload(
    services: AppServices, request: Request, audience_id: AudienceId, upload_id: UploadId, namespace: Namespace = "ups"
) -> UploadView:
    """Lets the work on the file begin, which is to stay as it is. A second commit is answered as the first was."""
    await _of_audience(services, (namespace, audience_id), upload_id)
    upload = await services.audience_uploads.commit(upload_id)
    note(request, f"upload {upload.id} committed, {upload.bytes} bytes")
    return UploadView.model_validate(upload)


@router.post("/uploads/{upload_id}/cancel", summary="Cancel an upload", openapi_extra=needs(*_WRITING))
async def cancel_upload(
    services: AppServices, request: Request, audience_id: AudienceId, upload_id: UploadId, namespace: Namespace = "ups"
) -> UploadView:
    """Nobody leaves the audience from now on, and the file is deleted; lines that are on the queue are handled all the
    same. One that has ended stays as it is.
    """
    await _of_audience(services, (namespace, audience_id), upload_id)
    upload = await services.audience_uploads.cancel(upload_id)
    note(request, f"upload {upload.id} {upload.state}")
    return UploadView.model_validate(upload)


async def _of_audience(services: Services, audience: AudienceKey, upload_id: str) -> Upload:
    """Raises NoSuchUploadError, also for one of another audience."""
    upload = await services.audience_uploads.get(upload_id)
    if upload.audience != audience:
        raise NoSuchUploadError(upload_id)
    return upload
