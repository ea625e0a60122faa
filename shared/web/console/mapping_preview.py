"""What an export would look like by the mapping form: of a named profile, in a recent one's shape, or made up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.domain.configuration.model import Configuration
from shared.domain.configuration.paths import parse_path
from shared.domain.configuration.targets import Targets
from shared.domain.exports.dry_run import DryRunVerdict, verdict_on
from shared.domain.exports.sample import sample_verdict
from shared.domain.jsonvalue import parse_json
from shared.services.runs.recently_exported import RecentProfile
from shared.services.wiring import Services
from shared.views.last_exports import mask
from shared.web.console.mapping import MappingForm

_PROFILE_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Preview:
    """`body` and `properties` are None where there would be no export; of a recent profile's shape they have the type
    of each value in its place, and `missing` are the mapped attributes that it does not have.
    """

    of: Literal["profile", "shape", "sample"]
    verdict: DryRunVerdict
    body: Any = None
    properties: Any = None
    size: int = 0
    missing: Sequence[str] = ()


async def preview_of(
    services: Services,
    configuration: Configuration,
    destination_id: str,
    form: MappingForm,
    recent: RecentProfile | None,
) -> Preview | None:
    """By `configuration`, which has the form's dataflow; None where nothing is mapped. Raises StorageError."""
    if form.profile_id:
        verdict = await services.explain_profile.preview(form.profile_id, destination_id, configuration)
        return _shown("profile", verdict)
    if not form.dataflow.audiences:
        return None
    now, targets = services.clock(), Targets.of(configuration)
    if recent is not None:
        verdict = verdict_on(recent.state, targets, destination_id, now)
        if verdict.export:
            return _shown("shape", verdict, [each for each in form.dataflow.attributes if not _has(recent, each)])
    return _shown("sample", sample_verdict(targets, destination_id, now))


def most_telling(recent: Sequence[RecentProfile], attributes: Sequence[str]) -> RecentProfile | None:
    """The profile that has most of the attributes, the latest of those."""
    return max(recent, key=lambda profile: sum(_has(profile, each) for each in attributes), default=None)


async def named_in(services: Services, form: MappingForm) -> RecentProfile | None:
    """The profile whose shape the form was shown with, if it is known still. Raises StorageError."""
    return await services.recently_exported.find(form.shape) if _PROFILE_KEY.fullmatch(form.shape) else None


def _has(profile: RecentProfile, attribute: str) -> bool:
    return profile.state.attributes.value_at(parse_path(attribute)) is not None


def _shown(of: Literal["profile", "shape", "sample"], verdict: DryRunVerdict, missing: Sequence[str] = ()) -> Preview:
    if verdict.export is None:
        return Preview(of, verdict)
    body, properties = parse_json(verdict.export.body.decode()), verdict.export.application_properties
    if of == "shape":
        body, properties = mask(body), mask(dict(properties))
    return Preview(of, verdict, body, properties, len(verdict.export.body), missing)
