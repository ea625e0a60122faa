"""What all views are: given, never taken; made of what a service returns, whose attributes they are named after."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.domain.instants import format_instant


def _text(instant: Any) -> Any:
    return format_instant(instant) if isinstance(instant, int) else instant


Instant = Annotated[str, BeforeValidator(_text)]
"""ISO 8601, made of microseconds."""
InstantOrNone = Annotated[str | None, BeforeValidator(lambda instant: _text(instant) if instant else None)]
"""The same; null where something has not happened, which is 0 or None."""
TextOrNone = Annotated[str | None, BeforeValidator(lambda text: text or None)]
"""Null where there is no text."""

Share = Annotated[float, BeforeValidator(lambda share: round(share, 3))]
"""From 0 to 1."""
Audience = Annotated[
    dict[str, str], BeforeValidator(lambda key: {"namespace": key[0], "id": key[1]} if isinstance(key, tuple) else key)
]
"""Its namespace and id, made of an AudienceKey."""


Code = Annotated[str | None, Field(description="Why, as docs/errors.md lists it; null where release 0.1 stored it")]
"""Of a failure."""


class View(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)

    def document(self) -> dict[str, Any]:
        """As plain JSON, with the names that the API gives."""
        return self.model_dump(mode="json", by_alias=True)


def read_only(description: str, default_factory: Callable[[], Any] = lambda: None) -> Any:
    """A member that is given, and ignored where it is sent back."""
    return Field(default_factory=default_factory, description=description, json_schema_extra={"readOnly": True})
