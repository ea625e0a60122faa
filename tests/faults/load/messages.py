"""How changes get onto the queue: shuffled, some twice, several in a message, in every form that a message may have."""

import base64
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

DUPLICATED_SHARE = 0.1
_TRACED_SHARE = 0.8


@dataclass(frozen=True)
class Message:
    text: str
    changes: tuple[dict[str, Any], ...]


def messages(
    changes: Sequence[dict[str, Any]], rng: random.Random, *, window: int, most_in_one: int = 25
) -> list[Message]:
    """`changes`, each at least once: every `window` of them doubled in part and shuffled."""
    return [
        Message(_text(batch, rng), batch)
        for start in range(0, len(changes), window)
        for batch in _batches(_delivered(changes[start : start + window], rng), rng, most_in_one)
    ]


def _delivered(window: Sequence[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    delivered = [*window, *rng.sample(window, int(len(window) * DUPLICATED_SHARE))]
    rng.shuffle(delivered)
    return delivered


def _batches(changes: list[dict[str, Any]], rng: random.Random, most: int) -> Iterator[tuple[dict[str, Any], ...]]:
    while changes:
        size = rng.randint(1, most)
        yield tuple(changes[:size])
        del changes[:size]


def _text(batch: Sequence[dict[str, Any]], rng: random.Random) -> str:
    document: Any = batch[0] if len(batch) == 1 else rng.choice((list(batch), {"changes": list(batch)}))
    if traceparent := _traceparent(batch):
        document = {"traceparent": traceparent, "changes": list(batch)}
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    return base64.b64encode(text.encode()).decode() if rng.random() < 0.2 else text


def _traceparent(batch: Sequence[dict[str, Any]]) -> str | None:
    """Of most messages, by which exports show that their message came again (causes.py)."""
    digest = hashlib.sha256(json.dumps(batch).encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01" if int(digest[-2:], 16) < 256 * _TRACED_SHARE else None
