"""The whole configuration as one declarative file, for pipelines: the same that `python -m local apply` takes."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.domain.configuration.model import Configuration, ConfigurationFile
from shared.domain.configuration.plan import require_named
from shared.services.configuration.edit import as_file
from shared.views.configuration import PlanView
from shared.web.context import AppServices
from shared.web.etags import if_matching, tagged
from shared.web.guarded import GuardedRoute, needs, note
from shared.web.permissions import Permission

router = APIRouter(prefix="/api/config", tags=["configuration"], route_class=GuardedRoute)


@router.get(
    "",
    summary="Get the configuration as a file",
    openapi_extra=needs(Permission.MANAGE_DESTINATIONS, Permission.VIEW_SEGMENTS),
    response_model_exclude_none=True,
)
async def get_configuration(services: AppServices, response: Response) -> ConfigurationFile:
    file = as_file(await services.edit_configuration.load())
    tagged(response, file)
    return file


@router.put("", summary="Make the configuration what a file says", openapi_extra=needs(*Permission, preconditions=True))
async def put_configuration(
    services: AppServices,
    request: Request,
    response: Response,
    wanted: ConfigurationFile,
    dry_run: Annotated[bool, Query(alias="dry-run", description="Only say what would change")] = False,
    prune: Annotated[bool, Query(description="Remove what the file does not name")] = False,
) -> PlanView:
    """Applying the same file again changes nothing. `If-Match` takes the ETag of `GET /api/config`."""

    check = if_matching(request)

    def edit(configuration: Configuration) -> ConfigurationFile:
        check(as_file(configuration))
        return require_named(configuration, wanted)

    planned = await services.edit_configuration.apply(edit, prune=prune, dry_run=dry_run)
    if not dry_run:
        note(request, *planned.summary)
        tagged(response, as_file(planned.configuration))
    return PlanView.of(planned, await services.estimate_backfills.of_plan(planned), dry_run=dry_run)
