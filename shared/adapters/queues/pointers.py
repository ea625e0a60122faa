"""The app's own queues: each message points to what is stored, so no personal data lies in a queue."""

import json
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Generic, TypeVar

from pydantic.alias_generators import to_camel

from shared.adapters.queues.queue import Queue
from shared.domain.messages.pointers import DeliveryPointer, RetryPointer, SlicePointer

Pointer = TypeVar("Pointer", RetryPointer, SlicePointer, DeliveryPointer)


@dataclass(frozen=True)
class PointerKind(Generic[Pointer]):
    """The pointers of the queue `name`: a JSON object with the fields of `pointer_type`, in camel case.

    Those that have a default may be missing: earlier releases do not write them.
    """

    name: str
    pointer_type: type[Pointer]

    def encode(self, pointer: Pointer) -> str:
        return json.dumps({to_camel(each.name): getattr(pointer, each.name) for each in fields(pointer)})

    def decode(self, body: bytes) -> Pointer:
        """Raises ValueError for what is no pointer."""
        expected = fields(self.pointer_type)
        try:
            document: dict[str, Any] = json.loads(body)
            values = {each: document[to_camel(each.name)] for each in expected if _given(each, document)}
            return self.pointer_type(**{each.name: each.type(value) for each, value in values.items()})  # type: ignore[operator]
        except (KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
            names = [to_camel(each.name) for each in expected if each.default is MISSING]
            raise ValueError(f"queue {self.name}: expected {', '.join(names[:-1])} and {names[-1]}") from error


def _given(field: Field[Any], document: dict[str, Any]) -> bool:
    return field.default is MISSING or to_camel(field.name) in document


RETRIES = PointerKind("export-retries", RetryPointer)
SLICES = PointerKind("backfill-slices", SlicePointer)
ALERT_DELIVERIES = PointerKind("alert-deliveries", DeliveryPointer)


@dataclass(frozen=True)
class StoragePointerQueue(Generic[Pointer]):
    kind: PointerKind[Pointer]
    queue: Queue

    async def put(self, pointer: Pointer, delay: float = 0) -> None:
        """Put a pointer that can be taken after `delay` seconds. Raises StorageError."""
        await self.queue.put(self.kind.encode(pointer), delay)
