"""The last exports are saved beside the counts, shown for an hour, and gone after that, whoever saves what again."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.exports.sent_export import SentExport
from shared.domain.instants import MINUTE, SECOND
from shared.domain.profile_key import profile_key
from shared.errors import StorageError
from shared.services.changes.export import InboundMessage
from shared.services.configuration.apply import apply_configuration
from shared.services.runs import record
from shared.services.runs.last_exports import KEPT, SHOWN_FOR
from shared.services.wiring import Services
from tests.kit.builders import NOW, item, membership
from tests.kit.world import DOCUMENT, World

JOINED = {"segmentMembership": membership(1)}
HOUR_IN_SECONDS = SHOWN_FOR / SECOND


@pytest.fixture
def world() -> World:
    return World()


async def export(world: World, *profile_ids: str, second: int = 1, worker: Services | None = None) -> None:
    """Let `worker`, the first one unless told otherwise, export these profiles to d and e, a second apart."""
    for profile_id in profile_ids:
        change = item(profile_id, second, segmentMembership=membership(second), attributes={"x": second})
        message = InboundMessage(f"{profile_id}-{second}", str([change]).replace("'", '"').encode(), NOW)
        await (worker or world.worker).export_changes.handle(message)
        await world.clock.sleep(1)


async def shown(world: World, destination_id: str = "d") -> list[str]:
    """The keys of the profiles that are shown, as an instance that has sent nothing shows them."""
    return [sent.profile_key for sent in await world.new_worker().last_exports.of(destination_id)]


def keys(*profile_ids: str) -> list[str]:
    return [profile_key(profile_id) for profile_id in profile_ids]


async def test_what_is_remembered_is_neither_the_body_nor_the_id(world: World) -> None:
    await world.handle(item("jane.doe", 1, **JOINED, attributes={"x": "hush"}))
    assert await world.worker.runs.flush() is None
    (sent,) = [each for each in world.sender.sent if each.destination.id == "d"]
    assert await world.new_worker().last_exports.of("d") == [
        SentExport(
            at=NOW,
            profile_key=profile_key("jane.doe"),
            version=sent.version,
            config_revision=sent.config_revision,
            reasons=("audience", "attribute"),
            occurred_at=sent.occurred_at,
            size=len(sent.body),
        )
    ]
    for personal in ("jane.doe", "hush"):
        assert personal not in str(world.last_exports.rows)


async def test_the_latest_of_all_instances_are_shown_first(world: World) -> None:
    other = world.new_worker()
    for number in range(KEPT):
        await export(world, f"p{number}", worker=(world.worker, other)[number % 2])
    assert await shown(world) == []
    await world.worker.runs.flush()
    await other.runs.flush()
    assert await shown(world) == keys(*(f"p{number}" for number in reversed(range(KEPT))))
    assert len(world.last_exports.rows) == 4
    await export(world, *(f"q{number}" for number in range(KEPT)), worker=other)
    await other.runs.flush()
    assert await shown(world) == keys(*(f"q{number}" for number in reversed(range(KEPT))))
    assert {len(row.exports) for row in world.last_exports.rows.values()} == {KEPT // 2, KEPT}


async def test_a_row_is_rewritten_only_when_something_was_added(world: World) -> None:
    await export(world, "p")
    for _ in range(2):
        await world.worker.runs.flush()
    assert world.last_exports.puts == 2  # one for d, one for e
    world.worker.runs.received("d", 1)
    await world.worker.runs.flush()
    assert world.last_exports.puts == 2
    world.break_down("e")
    await export(world, "q")
    await world.worker.runs.flush()
    assert world.last_exports.puts == 3


async def test_what_could_not_be_saved_is_saved_with_the_next_and_harms_no_count(world: World) -> None:
    await export(world, "p")
    world.last_exports.failure = StorageError("down")
    assert await world.worker.runs.flush() is world.last_exports.failure
    assert (await world.worker.run_history.totals("d", NOW, NOW + MINUTE)).activated.total() == 1
    world.last_exports.failure = None
    assert await world.worker.runs.flush() is None
    assert await shown(world) == keys("p")
    assert world.last_exports.puts == 2


async def test_a_save_that_failed_is_tried_again_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FLUSH_SECONDS", 0)
    saved = asyncio.Event()
    put = world.last_exports.put

    async def put_at_the_second_time(*arguments: Any) -> None:
        if world.last_exports.failure is None:
            world.last_exports.failure = StorageError("down")
            raise world.last_exports.failure
        world.last_exports.failure = None
        await put(*arguments)
        saved.set()

    world.break_down("e")
    monkeypatch.setattr(world.last_exports, "put", put_at_the_second_time)
    await export(world, "p")
    await asyncio.wait_for(saved.wait(), 10)
    assert await shown(world) == keys("p")


async def test_nothing_is_shown_or_stored_for_more_than_an_hour(world: World) -> None:
    await export(world, "p", "q")
    await world.worker.runs.flush()
    await world.clock.sleep(HOUR_IN_SECONDS - 2)
    assert await shown(world) == keys("q")
    await world.worker.last_exports.forget_outdated()
    stored = [[sent.profile_key for sent in row.exports] for row in world.last_exports.rows.values()]
    assert stored == [keys("q")] * 2
    await world.clock.sleep(1)
    await world.worker.last_exports.forget_outdated()
    assert world.last_exports.rows == {}


async def test_what_is_older_than_an_hour_is_not_saved_any_more(world: World) -> None:
    await export(world, "p")
    await world.worker.runs.flush()
    await world.clock.sleep(HOUR_IN_SECONDS)
    await export(world, "q")
    await world.worker.runs.flush()
    assert await shown(world) == keys("q")
    assert profile_key("p") not in str(world.last_exports.rows)

    await export(world, "r")
    world.last_exports.failure = StorageError("down")
    await world.clock.sleep(HOUR_IN_SECONDS)
    assert await world.worker.runs.flush() is None  # there is nothing to save any more
    world.last_exports.failure = None
    await world.worker.last_exports.forget_outdated()
    assert world.last_exports.rows == {}


async def test_a_row_that_is_saved_while_it_is_cleared_stays_as_saved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await export(world, "p")
    await world.worker.runs.flush()
    await world.clock.sleep(HOUR_IN_SECONDS)
    await export(world, "q")
    with_older = world.last_exports.with_older

    async def then_save(before: int) -> Any:
        rows = await with_older(before)
        await world.worker.runs.flush()
        return rows

    monkeypatch.setattr(world.last_exports, "with_older", then_save)
    await world.new_worker().last_exports.forget_outdated()
    assert await shown(world) == keys("q")


async def test_of_a_forgotten_profile_nothing_is_saved_again_by_whoever_forgot_it(world: World) -> None:
    await export(world, "p", "q")
    await world.worker.runs.flush()
    await world.handle(item("p", 5, deleted=True), message_id="delete")
    assert await shown(world) == keys("q")
    await export(world, "r")
    await world.worker.runs.flush()
    assert await shown(world) == keys("r", "q")
    assert profile_key("p") not in str(world.last_exports.rows)


async def test_a_save_on_its_way_while_its_profile_is_forgotten_ends_before_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await export(world, "p")
    put, saving, go_on = world.last_exports.put, asyncio.Event(), asyncio.Event()

    async def put_late(destination_id: str, instance: str, exports: Sequence[SentExport]) -> None:
        saving.set()
        await go_on.wait()
        await put(destination_id, instance, exports)

    monkeypatch.setattr(world.last_exports, "put", put_late)
    flush = asyncio.create_task(world.worker.runs.flush())
    await saving.wait()
    forget = asyncio.create_task(world.worker.last_exports.forget_profile(profile_key("p")))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not forget.done()
    go_on.set()
    await asyncio.gather(flush, forget)
    assert world.last_exports.puts == 2
    assert world.last_exports.rows == {}


async def test_of_a_forgotten_profile_nothing_is_left_after_an_hour_whoever_saves_meanwhile(world: World) -> None:
    other = world.new_worker()
    await export(world, "p", "q", worker=other)
    await other.runs.flush()
    await world.handle(item("p", 5, deleted=True), message_id="delete")
    assert await shown(world) == keys("q")
    for number in range(6):  # the other instance remembers it, and saves it again
        await export(world, f"r{number}", worker=other)
        await other.runs.flush()
        await world.worker.last_exports.forget_outdated()
        assert profile_key("p") in await shown(world)
        await world.clock.sleep(9 * 60)
    await world.clock.sleep(6 * 60)
    await world.worker.last_exports.forget_outdated()
    assert profile_key("p") not in str(world.last_exports.rows)
    await export(world, "s", worker=other)
    await other.runs.flush()
    assert profile_key("p") not in str(world.last_exports.rows)
    assert profile_key("s") in await shown(world)


async def test_forgetting_that_failed_at_the_last_exports_goes_on(world: World) -> None:
    await export(world, "p")
    await world.worker.runs.flush()
    world.last_exports.failure = StorageError("down")
    with pytest.raises(StorageError):
        await world.handle(item("p", 5, deleted=True), message_id="delete")
    world.last_exports.failure = None
    await world.handle(item("p", 5, deleted=True), message_id="delete")
    assert world.last_exports.rows == {}


async def states(
    world: World, configuration: Configuration | None = None
) -> list[tuple[str, str | None, bytes | None]]:
    """What is shown of each export to d: the state of its body, the profile's id and the body."""
    current = configuration or (await world.configuration.load()).configuration
    shown = await world.new_worker().shown_exports.of("d", current)
    return [(str(each.state), each.profile_id, each.body) for each in shown]


async def test_a_body_is_what_was_sent_until_the_profile_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await export(world, "p", second=1)
    await export(world, "p", second=2)
    await world.worker.runs.flush()
    *_, first, second = [sent.body for sent in world.sender.sent if sent.destination.id == "d"]
    read: list[str] = []
    find = world.profiles.find

    async def counted(key: str) -> Any:
        read.append(key)
        return await find(key)

    monkeypatch.setattr(world.profiles, "find", counted)
    assert await states(world) == [("sent", "p", second), ("changed", "p", second)]
    assert first != second
    assert read == keys("p")


async def test_a_body_is_what_was_sent_until_the_mapping_changes(world: World) -> None:
    await export(world, "p")
    await world.worker.runs.flush()

    async def mapped(**fields: Any) -> list[tuple[str, str | None, bytes | None]]:
        wanted = parse_configuration_file(DOCUMENT | {"dataflows": [{"id": "d", **fields}]})
        await apply_configuration(world.configuration, world.health, wanted, world.clock, prune=True)
        return await states(world)

    ((state, _, body),) = await mapped(audiences=["a"], attributes=[])
    assert (state, b'"x"' in (body or b"")) == ("changed", False)
    assert await mapped(audiences=["b"]) == [("unmapped", "p", None)]
    without = parse_configuration_file(DOCUMENT | {"dataflows": []})
    await apply_configuration(world.configuration, world.health, without, world.clock, prune=True)
    assert await states(world) == [("unmapped", "p", None)]


async def test_of_a_forgotten_profile_no_body_is_shown(world: World) -> None:
    other = world.new_worker()
    await export(world, "p", worker=other)
    await world.handle(item("p", 5, deleted=True), message_id="delete")
    await other.runs.flush()
    assert await states(world) == [("forgotten", None, None)]
    del world.profiles.rows[profile_key("p")]
    assert await states(world) == [("forgotten", None, None)]
