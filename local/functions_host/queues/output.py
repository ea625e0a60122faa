"""Queue output bindings: what a function set or returned becomes queue messages."""

import json
from collections.abc import Mapping
from typing import Any

from azure.functions.queue import QueueMessageOutConverter

from ..indexing import IndexedFunction
from ..storage.azure_storage import StorageAccounts
from ..storage.host_queue import HostQueue


class QueueOutputs:
    """Writes the queue outputs of functions."""

    def __init__(self, queues: StorageAccounts) -> None:
        self._queues = queues
        self._targets: dict[str, list[tuple[str, HostQueue]]] = {}

    def register(self, function: IndexedFunction) -> None:
        """Resolve the function's output queues now, so that a missing connection stops the start."""
        self._targets[function.name] = [
            (
                binding["name"],
                self._queues.queue(binding.get("connection"), binding["queueName"], f"function {function.name}"),
            )
            for binding in function.outputs
            if binding["type"] == "queue"
        ]

    async def write(self, function: IndexedFunction, outputs: Mapping[str, Any]) -> None:
        for name, queue in self._targets[function.name]:
            for content in messages_in(outputs[name]):
                await queue.add(content)


def messages_in(value: Any) -> list[str | bytes]:
    """The messages that one output value stands for.

    Text that looks like JSON is parsed by the host, and an array becomes one message per element: an app that wants
    to send one message holding an array must not use an output binding for it.
    """
    if value is None:
        return []
    datum = QueueMessageOutConverter.encode(value, expected_type=None)
    if isinstance(datum.value, bytes):
        return [datum.value]
    text = str(datum.value)
    if not _looks_like_json(text):
        return [text]
    parsed = json.loads(text)
    elements = parsed if isinstance(parsed, list) else [parsed]
    return [
        element if isinstance(element, str) else json.dumps(element, indent=2, ensure_ascii=False)
        for element in elements
    ]


def _looks_like_json(text: str) -> bool:
    trimmed = text.strip()
    return (trimmed[:1], trimmed[-1:]) in (("{", "}"), ("[", "]"))
