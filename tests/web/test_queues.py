"""What waits on the queues: over the API, and on the console's first page."""

import re

import pytest

from shared.domain.instants import MINUTE
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from tests.kit.api import Api
from tests.kit.console import Console


async def test_they_are_counted(api: Api) -> None:
    queues = api.world.queues
    queues.put(QueueKind.CHANGES, messages=2_340)
    queues.put(QueueKind.RETRIES, visible=False)
    queues.put(QueueKind.SLICES, poison=True)
    listed = (await api.expect(200, "GET", "/api/queues"))["queues"]
    assert listed[0] == {
        "name": "profile-changes",
        "kind": "changes",
        "poison": False,
        "messages": 2_340,
        "frontInsertedAt": "2026-01-11T22:00:00Z",
        "unknown": None,
    }
    assert [(each["name"], each["messages"], each["frontInsertedAt"] is None) for each in listed[1:]] == [
        ("profile-changes-poison", None, True),
        ("export-retries", 1, True),
        ("export-retries-poison", None, True),
        ("backfill-slices", 0, True),
        ("backfill-slices-poison", 1, False),
        ("alert-deliveries", 0, True),
        ("alert-deliveries-poison", None, True),
    ]


async def test_storage_that_does_not_count_is_said(api: Api) -> None:
    api.world.queues.failure = StorageError("queue export-retries: could not count its messages: no answer")
    problem = await api.expect(503, "GET", "/api/queues")
    assert problem["detail"] == "queue export-retries: could not count its messages: no answer"


async def test_the_console_is_calm_while_nothing_waits(console: Console) -> None:
    page = await console.page("/console")
    assert "Fine All is well · no export waits · no change waits to be taken No export" in page
    assert "Queues" not in page


async def test_the_console_says_how_much_waits_and_for_how_long(console: Console) -> None:
    world = console.world
    world.queues.put(QueueKind.CHANGES)
    world.queues.put(QueueKind.RETRIES, messages=12, visible=False)
    world.clock.now += 9 * MINUTE
    page = await console.page("/console")
    assert "Look at it no export waits · the first change has waited for 9 min " in page
    assert (
        "Queues Waiting 1 message waits in profile-changes , the first for 9 min "
        "Waiting 12 messages wait in export-retries , being handled or not due yet "
    ) in page
    world.queues.put(QueueKind.CHANGES, messages=2_339)
    world.clock.now += MINUTE
    assert (
        "Piling up 2,340 messages wait in profile-changes , the first for 10 min "
        "See whether an upload or a backfill is on, and let more instances run."
    ) in await console.page("/console")


@pytest.mark.parametrize("kind", QueueKind)
async def test_what_failed_at_every_delivery_comes_first(console: Console, kind: QueueKind) -> None:
    console.world.queues.put(QueueKind.CHANGES, messages=5)
    console.world.queues.put(kind, poison=True, messages=2)
    page = await console.page("/console")
    assert "Queues Failed 2 messages wait in" in page
    assert "-poison , the first for 0 s They failed at every delivery. drain_poison_queues puts them back " in page
    assert "Waiting 5 messages wait in profile-changes" in page


async def test_a_queue_that_is_missing_is_named(console: Console) -> None:
    del console.world.queues.waiting[QueueKind.CHANGES, False]
    del console.world.queues.waiting[QueueKind.SLICES, False]
    page = await console.page("/console")
    assert "Missing There is no queue profile-changes Create it, or name another in the app setting" in page
    assert "Missing There is no queue backfill-slices Restart the app" in page


async def test_one_that_could_not_be_counted_does_not_hide_the_others(console: Console, api: Api) -> None:
    console.world.queues.unknown[QueueKind.RETRIES, False] = "no answer within 3 s"
    console.world.queues.put(QueueKind.CHANGES)
    page = await console.page("/console")
    assert "Not counted What waits in export-retries could not be counted No answer within 3 s." in page
    assert "Waiting 1 message waits in profile-changes" in page
    assert "1 queue not counted" in page
    assert "Not counted No answer within 3 s." in await console.page("/console/input")
    queues = (await api.expect(200, "GET", "/api/queues"))["queues"]
    assert [(each["messages"], each["unknown"]) for each in queues][:3] == [
        (1, None),
        (None, None),
        (None, "no answer within 3 s"),
    ]


async def test_the_page_is_there_though_nothing_could_be_counted(console: Console) -> None:
    console.world.queues.failure = StorageError("queue export-retries: could not count its messages: no answer")
    page = await console.page("/console")
    assert "What waits could not be counted: Queue export-retries: could not count its messages: no answer." in page
    assert "Look at it no export waits · what waits on the queues is not known " in page
    assert re.search(r"D No exports in 24 h .* E ", page)
