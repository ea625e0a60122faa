"""What is in quarantine."""

import base64

from shared.ports.quarantine import StoredQuarantinedItem
from shared.views.view import Code, Instant, View


class QuarantineEntryView(View):
    """`item` is the item's index in its message, null for all of it."""

    row_id: str
    message_id: str
    item: int | None
    received_at: Instant
    reason: str
    code: Code
    profile_key: str | None


class QuarantineList(View):
    """`next`: what to give as `token` for the page that follows, null at the end. A page may be short, even empty."""

    entries: list[QuarantineEntryView]
    next: str | None


class QuarantinedView(QuarantineEntryView):
    """With the bytes as they were received: in `body` where they are text, else in `bodyBase64`."""

    body: str | None = None
    body_base64: str | None = None

    @classmethod
    def of(cls, stored: StoredQuarantinedItem) -> "QuarantinedView":
        entry = QuarantineEntryView.model_validate(stored).model_dump()
        try:
            return cls(**entry, body=stored.raw.decode())
        except UnicodeDecodeError:
            return cls(**entry, body_base64=base64.b64encode(stored.raw).decode())


class ReplayedView(View):
    row_id: str
