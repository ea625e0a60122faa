"""Uploads of an audience's members from the console: a list that was pasted, or that the page read out of a file."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.domain.configuration.model import Configuration
from shared.domain.profile.memberships import AudienceKey
from shared.errors import NotForUploadError, UploadError
from shared.services.backfills.uploads import MOST_POSTED_BYTES
from shared.web.console.forms import Form, Submitted
from shared.web.console.pages import PREFIX, PageRoute, page, redirect, render
from shared.web.console.problems_by_field import Problems
from shared.web.console.routes.backfills import PATH as BACKFILLS
from shared.web.context import AppServices
from shared.web.guarded import LARGEST_FILE, note
from shared.web.permissions import Permission

router = APIRouter(prefix=f"{PREFIX}/audiences/upload", route_class=PageRoute)

_PERMISSIONS = (Permission.ACTIVATE_DESTINATIONS, Permission.VIEW_SEGMENTS)
_AS_A_FORM = 3
"""How many times larger a list may be as a form sends it."""


@router.get("", **page(*_PERMISSIONS))
async def show_upload(
    services: AppServices,
    request: Request,
    audience_id: Annotated[str, Query(alias="id", min_length=1, max_length=512)],
    namespace: Annotated[str, Query(min_length=1, max_length=512)] = "ups",
) -> Response:
    """Raises NotForUploadError."""
    return _show(request, await services.edit_configuration.load(), (namespace, audience_id), Form({}), Problems())


@router.post("", **page(*_PERMISSIONS, largest=_AS_A_FORM * LARGEST_FILE))
async def upload(services: AppServices, request: Request, form: Submitted) -> Response:
    """What looks like JSON is taken for JSON lines: a CSV file has a header, which doesn't."""
    audience, members = (form.raw("namespace"), form.raw("id")), form.raw("members")
    try:
        taken = await services.audience_uploads.take(
            audience,
            members.encode(),
            replace=form.checked("replace"),
            force=form.checked("force"),
            file_format="ndjson" if members.lstrip("\ufeff \t\r\n").startswith("{") else "csv",
        )
    except UploadError as error:
        return _show(
            request, await services.edit_configuration.load(), audience, form, Problems({"members": [str(error)]})
        )
    note(request, f"upload {taken.id} committed, {taken.bytes} bytes")
    return redirect(BACKFILLS, "uploaded")


def _show(
    request: Request, configuration: Configuration, audience: AudienceKey, form: Form, problems: Problems
) -> Response:
    found = next((each for each in configuration.audiences if each.key == audience), None)
    if found is None or found.origin != "custom-upload":
        raise NotForUploadError(*audience)
    return render(
        request,
        "upload.html",
        status=problems.status if problems else 200,
        audience=found,
        members=form.raw("members"),
        replace=form.checked("replace"),
        force=form.checked("force"),
        most=MOST_POSTED_BYTES,
        problems=problems,
    )
