"""The audit log."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from shared.views.view import Instant, View


class AuditEntryView(View):
    id: str
    at: Instant
    who: str
    what: str
    status: Annotated[int | None, BeforeValidator(lambda status: status or None)] = Field(
        description="Of the answer; null where the request was cut off"
    )
    details: list[str]


class AuditPage(View):
    """`next`: what to give as `before` for the entries that follow, null at the end."""

    entries: list[AuditEntryView]
    next: str | None
