"""What the API takes and gives besides the configuration's own models."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.backfills.backfill import Backfill, Progress
from shared.domain.configuration.model import (
    Audience,
    Configuration,
    Dataflow,
    Destination,
    Identifier,
    RequestedBackfill,
    Text,
)
from shared.domain.configuration.plan import Plan, warnings_of
from shared.domain.instants import SECOND, format_instant
from shared.ports.health import DestinationTrouble
from shared.services.backfills.uploads import CreatedUpload


class View(BaseModel):
    """What is given, never taken."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def _read_only(description: str, default_factory: Callable[[], Any] = lambda: None) -> Any:
    """A member that is given, and ignored where it is sent back."""
    return Field(default_factory=default_factory, description=description, json_schema_extra={"readOnly": True})


class AudienceList(View):
    audiences: list[Audience]


class DestinationHealth(View):
    """`down` since exports failed three times in a row; `recovering` once it answers again."""

    state: Literal["healthy", "down", "recovering"]
    since: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, trouble: DestinationTrouble | None) -> "DestinationHealth":
        if trouble is None:
            return cls(state="healthy")
        state: Literal["recovering", "down"] = "recovering" if trouble.recovering else "down"
        return cls(state=state, since=format_instant(trouble.since), error=trouble.error)


class DestinationResource(Destination):
    """A destination with what is known of it."""

    id: Identifier = Field(default="", description="As in the path")
    health: DestinationHealth | None = _read_only("What became of the last exports")
    warnings: list[str] = _read_only("What is probably not meant", list)

    @classmethod
    def of(
        cls, destination: Destination, configuration: Configuration, troubles: Mapping[str, DestinationTrouble]
    ) -> "DestinationResource":
        active = any(each.id == destination.id for each in configuration.dataflows)
        return cls(
            **destination.model_dump(),
            health=DestinationHealth.of(troubles.get(destination.id)),
            warnings=[] if active else ["has no dataflow, so nothing is exported to it"],
        )


class DestinationList(View):
    destinations: list[DestinationResource]
    warnings: list[str]


class DataflowResource(Dataflow):
    """A dataflow with what is known of it."""

    id: Identifier = Field(default="", description="As in the path")
    config_revision: int = _read_only("Of the exports by this mapping", int)
    warnings: list[str] = _read_only("What is probably not meant, or more than the app is sized for", list)

    @classmethod
    def of(cls, dataflow: Dataflow, configuration: Configuration) -> "DataflowResource":
        return cls(
            **dataflow.model_dump(),
            config_revision=configuration.revisions.get(dataflow.id, 0),
            warnings=warnings_of(configuration, dataflow),
        )


class DataflowList(View):
    dataflows: list[DataflowResource]


class PlannedChangeView(View):
    kind: str
    id: str
    action: str


class PlanView(View):
    """What a change of the configuration comes to; `dryRun`: and it was not carried out."""

    dry_run: bool
    changes: list[PlannedChangeView]
    backfills: list[dict[str, Any]]
    warnings: list[str]

    @classmethod
    def of(cls, planned: Plan, *, dry_run: bool) -> "PlanView":
        changes = [PlannedChangeView(kind=each.kind, id=each.id, action=each.action) for each in planned.changes]
        backfills = [_requested(each) for each in planned.backfills]
        return cls(dry_run=dry_run, changes=changes, backfills=backfills, warnings=planned.warnings)


def _requested(backfill: RequestedBackfill) -> dict[str, Any]:
    return backfill.model_dump(by_alias=True, exclude_none=True, include={"id", "destination", "audiences", "since"})


class AuditEntryView(View):
    id: str
    at: str
    who: str
    what: str
    status: int | None = Field(description="Of the answer; null where the request was cut off")
    details: list[str]


class AuditPage(View):
    """`next`: what to give as `before` for the entries that follow, null at the end."""

    entries: list[AuditEntryView]
    next: str | None


class AudienceResource(Audience):
    """An entry of the catalog."""

    id: Text = Field(default="", description="As in the path")


class BackfillView(View):
    id: str
    kind: str
    destination: str | None = Field(description="Null for sweeps and uploads, which are for no destination")
    audiences: list[dict[str, str]]
    state: str
    note: str = Field(description="Why it ended as it did")
    requested_at: str
    due_at: str
    started_at: str | None
    finished_at: str | None
    progress: dict[str, Any] = Field(description="Members come past, exported, undelivered; share, rate, time left")

    @classmethod
    def of(cls, backfill: Backfill, progress: Progress) -> "BackfillView":
        return cls(
            id=backfill.id,
            kind=backfill.kind,
            destination=backfill.destination_id or None,
            audiences=[{"namespace": key[0], "id": key[1]} for key, _ in backfill.audiences],
            state=backfill.state,
            note=backfill.note,
            requested_at=format_instant(backfill.requested_at),
            due_at=format_instant(backfill.due_at),
            started_at=format_instant(backfill.started_at) if backfill.started_at else None,
            finished_at=format_instant(backfill.finished_at) if backfill.finished_at else None,
            progress=progress.to_json(),
        )


class BackfillList(View):
    backfills: list[BackfillView]


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
    created_at: str
    committed_at: str | None = Field(description="Also the time of all its changes")
    started_at: str | None
    finished_at: str | None
    note: str | None = Field(description="Why it ended as it did, or what keeps it from going on")


class CreatedUploadView(View):
    """An upload, and the address to write its file to."""

    upload: UploadView
    url: str = Field(description="PUT the file here; to be kept secret")
    headers: dict[str, str] = Field(description="To be sent with the file")
    expires_at: str

    @classmethod
    def of(cls, created: CreatedUpload) -> "CreatedUploadView":
        access = created.access
        return cls(
            upload=UploadView(**created.upload.to_json()),
            url=access.url,
            headers=dict(access.headers),
            expires_at=format_instant(access.expires_at // SECOND * SECOND),
        )


class UploadList(View):
    uploads: list[UploadView]
