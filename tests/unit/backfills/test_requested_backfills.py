"""Backfills that the configuration asks for, before the timer has taken note of them."""

from shared.domain.backfills.backfill import BackfillState
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import SECOND
from shared.services.configuration.apply import apply_configuration
from tests.kit.builders import NOW, destination, item, membership
from tests.kit.world import SETTINGS, World


async def mapped(*audiences: str) -> World:
    """A world in which a dataflow was just told to map these audiences beside the one it had."""
    world = World()
    await world.handle(item("p", 1, segmentMembership=membership(1, audience="b")))
    dataflow = {"id": "d", "audiences": ["a", *audiences]}
    document = {"destinations": [destination("d")], "dataflows": [dataflow]}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    return world


async def test_they_are_listed_at_once_and_once() -> None:
    world = await mapped("b")
    (requested,) = await world.worker.plan_backfills.all()
    assert (requested.id, requested.state, requested.audiences) == (
        "d-2",
        BackfillState.WAITING,
        ((("ups", "b"), None),),
    )
    assert requested.due_at == NOW + SETTINGS.backfill_delay * SECOND
    assert not world.backfills.rows

    await world.worker.plan_backfills.run()
    assert await world.worker.plan_backfills.all() == [requested]
    assert (await world.configuration.load()).configuration.requested_backfills == []


async def test_one_that_is_cancelled_before_it_is_noted_never_starts() -> None:
    world = await mapped("b")
    cancelled = await world.worker.plan_backfills.cancel("d-2")
    assert cancelled.state == BackfillState.CANCELLED
    for _ in range(3):
        assert await world.run_backfills() == {}
    assert [backfill.state for backfill in await world.worker.plan_backfills.all()] == [BackfillState.CANCELLED]
    assert world.sender.sent == []
    assert (await world.worker.backfill_statuses.of(cancelled)).progress.share == 0


async def test_what_was_requested_for_a_dataflow_that_is_gone_is_no_backfill() -> None:
    world = await mapped("b")
    stored = await world.configuration.load()
    left = stored.configuration.model_copy(update={"dataflows": []})
    await world.configuration.save(left, stored.etag)
    assert await world.worker.plan_backfills.all() == []
