"""Backfills."""

from typing import Any

from pydantic import Field

from shared.domain.backfills.backfill import Backfill, Progress
from shared.domain.instants import format_instant
from shared.views.view import View


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
