"""A trace goes through: from the message that names one to the events that come of it, and changes nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared.domain.messages.message import decode_message
from shared.services.changes.export import InboundMessage
from tests.kit.builders import NOW, item, membership
from tests.kit.world import World

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PROMISED = {
    "reason",
    "destinationId",
    "profileId",
    "profileVersion",
    "configRevision",
    "occurredAt",
    "entered",
    "transitionIds",
}
JOINED = item("p", 1, segmentMembership=membership(1))


async def handle(world: World, document: Any) -> None:
    await world.worker.export_changes.handle(InboundMessage("m", json.dumps(document).encode(), NOW))


async def test_events_name_the_trace_of_their_message() -> None:
    world = World()
    await handle(world, {"changes": [JOINED], "traceparent": TRACEPARENT})
    assert len(world.sender.sent) == 2
    for export in world.sender.sent:
        properties = export.application_properties
        assert {name: properties[name] for name in properties.keys() - PROMISED} == {
            "traceparent": TRACEPARENT,
            "Diagnostic-Id": TRACEPARENT,
        }


async def test_a_trace_is_no_part_of_what_an_export_is() -> None:
    traced, untraced = World(), World()
    await handle(traced, {"changes": [JOINED], "traceparent": TRACEPARENT})
    await handle(untraced, {"changes": [JOINED]})
    for one, other in zip(traced.sender.sent, untraced.sender.sent, strict=True):
        assert (one.message_id, one.body) == (other.message_id, other.body)
        assert other.application_properties.items() <= one.application_properties.items()
        assert other.application_properties.keys() == PROMISED


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        None,
        7,
        [TRACEPARENT],
        TRACEPARENT + "-x",
        TRACEPARENT.upper(),
        TRACEPARENT.replace("00-", "ff-", 1),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        TRACEPARENT + "\n",
    ],
)
def test_what_is_no_traceparent_does_not_matter(traceparent: object) -> None:
    decoded = decode_message(json.dumps({"changes": [JOINED], "traceparent": traceparent}).encode(), NOW)
    assert (decoded.traceparent, len(decoded.changes), decoded.rejected) == (None, 1, [])


def test_only_an_envelope_names_a_trace() -> None:
    assert decode_message(json.dumps([JOINED]).encode(), NOW).traceparent is None
    envelope = json.dumps({"traceparent": TRACEPARENT, "changes": [JOINED]}).encode()
    assert decode_message(envelope, NOW).traceparent == TRACEPARENT


async def test_a_worker_that_traces_puts_its_own_span_in_between() -> None:
    world = World()
    spans: list[Any] = []

    class Spans:
        @contextmanager
        def message(self, message_id: str, traceparent: str | None, /) -> Iterator[str | None]:
            spans.append((message_id, traceparent))
            yield "own"
            spans.append(len(world.sender.sent))

    await world.new_worker(tracing=Spans()).export_changes.handle(
        InboundMessage("m", json.dumps({"changes": [JOINED], "traceparent": TRACEPARENT}).encode(), NOW)
    )
    assert spans == [("m", TRACEPARENT), 2]
    assert {export.traceparent for export in world.sender.sent} == {"own"}
