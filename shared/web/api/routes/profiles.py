"""Profiles: what is remembered of one, and what a change of it would export.

A profile id is personal, and paths end up in logs: ids are sent in bodies.
"""

from fastapi import APIRouter

from shared.web.api.models.profiles import DryRunQuestion, DryRunView, ProfileDocument, ProfileQuestion
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/profiles", tags=["profiles"], route_class=GuardedRoute)


@router.post("/lookup", summary="Look a profile up", openapi_extra=needs(Permission.VIEW_PROFILES))
async def look_up(services: AppServices, asked: ProfileQuestion) -> ProfileDocument:
    """Of one that was forgotten, when; what is undelivered of it, too."""
    view = await services.explain_profile.look_up(asked.profile_id)
    if view is None:
        raise ProblemError(404, "nothing is known of a profile with this id: its case counts, and so do spaces")
    return ProfileDocument.model_validate(view.to_json())


@router.post(
    "/dry-run",
    summary="Say what a change would export, and why or why not",
    openapi_extra=needs(Permission.VIEW_PROFILES, Permission.VIEW_SEGMENTS),
)
async def dry_run(services: AppServices, asked: DryRunQuestion) -> DryRunView:
    """Nothing is saved or sent. Without a change: what each destination would hear if it were told again now."""
    foreseen = await services.explain_profile.dry_run(asked.change, asked.profile_id)
    return DryRunView.model_validate(foreseen.to_json())
