"""What stands in paths and queries, of the API and of the console alike."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator

from shared.domain.url_paths import why_no_segment


def _nameable(audience_id: str) -> str:
    if why := why_no_segment(audience_id):
        raise ValueError(f"expected an id that a path can name: {why}")
    return audience_id


DestinationId = Annotated[str, Path(description="The destination's id", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
AudienceId = Annotated[
    str, Path(description="The audience's id", min_length=1, max_length=512), AfterValidator(_nameable)
]
Namespace = Annotated[str, Query(description="The audience's namespace", min_length=1, max_length=512)]
BackfillId = Annotated[str, Path(description="The backfill's id", pattern=r"^[A-Za-z0-9-]{1,128}$")]
SubscriptionId = Annotated[str, Path(description="The subscription's id", pattern=r"^[A-Za-z0-9-]{1,64}$")]
ProfileKey = Annotated[str, Path(description="`profileKey` of the row", pattern=r"^[0-9a-f]{64}$")]
RowId = Annotated[str, Path(description="`rowId` of the item", pattern=r"^[A-Za-z0-9_-]{1,250}$")]
AuditEntryId = Annotated[str, Query(pattern=r"^(\d{18}-[0-9a-f]{8})?$", description="`next` of the page before")]
Token = Annotated[str | None, Query(description="`next` of the page before", max_length=4_000)]
