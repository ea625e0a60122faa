"""Profiles: what is remembered of one, and what a change of it would export.

A profile id is personal, and paths end up in logs: ids are sent in bodies.
"""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.profile.change import MAX_PROFILE_ID_LENGTH
from shared.views.profiles import DryRunView, ProfileDocument
from shared.web.context import AppServices
from shared.web.guarded import GuardedRoute, needs
from shared.web.permissions import Permission
from shared.web.problems import ProblemError

router = APIRouter(prefix="/api/profiles", tags=["profiles"], route_class=GuardedRoute)

ProfileId = Annotated[str, Field(min_length=1, max_length=MAX_PROFILE_ID_LENGTH)]


class _Asked(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class ProfileQuestion(_Asked):
    profile_id: ProfileId


class DryRunQuestion(ProfileQuestion):
    """`change`: as in a message; its profileId may be left out. Without one: what each would be told again."""

    change: Any = None


@router.post("/lookup", summary="Look a profile up", openapi_extra=needs(Permission.VIEW_PROFILES))
async def look_up(services: AppServices, asked: ProfileQuestion) -> ProfileDocument:
    """Of one that was forgotten, when; what is undelivered of it, too."""
    known = await services.explain_profile.look_up(asked.profile_id)
    if known is None:
        raise ProblemError(404, "nothing is known of a profile with this id: its case counts, and so do spaces")
    return ProfileDocument.of(known)


@router.post(
    "/dry-run",
    summary="Say what a change would export, and why or why not",
    openapi_extra=needs(Permission.VIEW_PROFILES, Permission.VIEW_SEGMENTS),
)
async def dry_run(services: AppServices, asked: DryRunQuestion) -> DryRunView:
    """Nothing is saved or sent. Without a change: what each destination would hear if it were told again now."""
    foreseen = await services.explain_profile.dry_run(asked.change, asked.profile_id)
    return DryRunView.of(foreseen)
