"""Resources that are entries of the configuration: found, replaced, removed, each under its entity tag."""

from collections.abc import Callable
from typing import Literal, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from shared.domain.configuration.model import Audience, Configuration, ConfigurationFile, Dataflow, Destination
from shared.domain.configuration.plan import CHANGING, Plan
from shared.services.configuration.edit import as_file
from shared.services.wiring import Services
from shared.web.etags import check_preconditions, etag_of
from shared.web.guarded import note
from shared.web.problems import ProblemError

Entry = TypeVar("Entry", Audience, Destination, Dataflow)
Section = Literal["audiences", "destinations", "dataflows"]


def find(entries: list[Entry], wanted: Callable[[Entry], bool], otherwise: str) -> Entry:
    """The entry that is `wanted`. Raises ProblemError (404) with the detail `otherwise`."""
    for entry in entries:
        if wanted(entry):
            return entry
    raise ProblemError(404, otherwise)


def tagged(response: Response, entry: BaseModel) -> None:
    """Give the answer the entity tag of the entry that it shows."""
    response.headers["ETag"] = etag_of(entry)


async def put_entry(
    services: Services,
    request: Request,
    section: Section,
    is_it: Callable[[Entry], bool],
    wanted_of: Callable[[Entry | None], Entry],
) -> tuple[Configuration, bool]:
    """Replace the entry `is_it` by what `wanted_of` makes of it, or add what it makes of None; the configuration there
    is then, and whether the entry is new.

    Raises ProblemError (412), whatever `wanted_of` raises, ConfigurationError, ConflictError, StorageError.
    """
    created = False

    def edit(configuration: Configuration) -> ConfigurationFile:
        nonlocal created
        file = as_file(configuration)
        entries: list[Entry] = getattr(file, section)
        before = next((entry for entry in entries if is_it(entry)), None)
        created = before is None
        check_preconditions(request, None if before is None else etag_of(before))
        wanted = wanted_of(before)
        after = [wanted if entry is before else entry for entry in entries] + ([wanted] if created else [])
        return ConfigurationFile.model_validate(dict(file) | {section: after})

    planned = await services.edit_configuration.apply(edit)
    note_plan(request, planned)
    return planned.configuration, created


async def delete_entries(
    services: Services, request: Request, edit: Callable[[Configuration], ConfigurationFile]
) -> None:
    """Carry out an `edit` that removes something. Raises what it raises, ConflictError, StorageError."""
    note_plan(request, await services.edit_configuration.apply(edit))


def note_plan(request: Request, planned: Plan) -> None:
    """Let the audit log say what changed."""
    note(
        request,
        *(f"{change.kind} {change.id} {change.action}" for change in planned.changes if change.action in CHANGING),
    )
    note(request, *(f"backfill {backfill.id} requested" for backfill in planned.backfills))
