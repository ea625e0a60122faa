"""Backfills over fakes: who is exported, once, and what happens when something goes wrong on the way."""

import random
from typing import Any

import pytest

from shared.domain.backfills.backfill import BackfillState, Slice
from shared.domain.backfills.standstill import STALLED_AFTER
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import DAY, MINUTE
from shared.domain.messages.pointers import SlicePointer
from shared.domain.profile_key import INDEX_BUCKETS, profile_key
from shared.errors import NoSuchBackfillError, SendError, StorageError
from shared.ports.backfills import StoredSlice
from shared.services.backfills.planner import HISTORY
from shared.services.backfills.slices import BUDGET_SECONDS, SliceOutcome
from shared.services.changes.profile_writer import DUE_KEPT
from shared.services.configuration.apply import apply_configuration
from shared.views.backfills import ProgressView
from tests.kit.builders import destination, ids, item, membership
from tests.kit.world import CACHE_SECONDS, World

NOTHING: dict[str, list[str]] = {"d": [], "e": []}


@pytest.fixture
def world() -> World:
    return World()


async def maps(world: World, **audiences: list[str] | None) -> None:
    """Let each destination's dataflow map these audiences; None pauses it as it is."""
    stored = (await world.configuration.load()).configuration
    there = {dataflow.id: dataflow for dataflow in stored.dataflows}
    dataflows = [
        {
            "id": name,
            "audiences": [each.id for each in there[name].audiences] if mapped is None else mapped,
            "attributes": there[name].attributes if name in there else [],
            "enabled": mapped is not None,
        }
        for name, mapped in audiences.items()
    ]
    document = {"destinations": [destination(name) for name in audiences], "dataflows": dataflows}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)


async def enter(world: World, audience: str, *profile_ids: str, second: int = 1, status: str = "realized") -> None:
    changes = [item(each, second, segmentMembership=membership(second, status, audience)) for each in profile_ids]
    await world.handle(*changes, message_id=f"{audience}-{status}-{second}")


def heard(world: World) -> dict[str, list[str]]:
    """Which profiles each destination got by backfills, in alphabetical order, and forget it."""
    told: dict[str, list[str]] = {"d": [], "e": []}
    for export in world.sender.sent:
        if export.reasons == ("backfill",):
            told.setdefault(export.destination.id, []).append(export.profile_id)
    world.sender.sent.clear()
    return {name: sorted(profile_ids) for name, profile_ids in told.items()}


async def settle(world: World, minutes: int = 3) -> None:
    for _ in range(minutes):
        await world.run_backfills()


async def test_members_of_a_newly_mapped_audience_are_exported_once(world: World) -> None:
    await enter(world, "b", "p", "q")
    await enter(world, "c", "q", "r")
    await enter(world, "a", "s")
    await enter(world, "b", "t")
    await enter(world, "b", "t", second=2, status="exited")
    heard(world)

    await maps(world, d=["a", "b", "c"])
    assert await world.run_backfills() == {}  # not before every worker knows of the mapping
    assert await world.run_backfills() == {"d-2": "started with 16 slices"}
    assert heard(world) == {"d": ["p", "q", "r"], "e": []}
    assert await world.run_backfills() == {"d-2": "done"}
    await settle(world)
    assert heard(world) == NOTHING


async def test_a_new_dataflow_is_backfilled_with_all_its_audiences(world: World) -> None:
    await enter(world, "b", "p")
    await enter(world, "c", "q")
    heard(world)
    await maps(world, f=["b", "c"])
    await settle(world)
    assert heard(world) == NOTHING | {"f": ["p", "q"]}


async def test_mapping_an_attribute_or_applying_again_backfills_nothing(world: World) -> None:
    await enter(world, "a", "p")
    await maps(world, d=["a"])
    await maps(world, d=["a"])
    await settle(world)
    assert heard(world) == NOTHING
    assert not world.backfills.rows


async def test_a_member_who_left_before_the_backfill_came_is_not_exported(world: World) -> None:
    await enter(world, "b", "p", "q")
    await maps(world, d=["b"])
    await enter(world, "b", "p", second=2, status="exited")
    heard(world)
    await settle(world)
    assert heard(world)["d"] == ["q"]


async def test_what_a_paused_dataflow_missed_is_exported_once_exits_included(world: World) -> None:
    await enter(world, "a", "stays", "leaves", "changes", "comes and goes")
    await enter(world, "a", "left long ago")
    await enter(world, "a", "left long ago", second=2, status="exited")
    await world.clock.sleep(3_600)
    heard(world)
    await maps(world, d=None)
    await world.clock.sleep(60)
    await enter(world, "a", "leaves", second=10, status="exited")
    await enter(world, "a", "comes", second=10)
    await enter(world, "a", "never was in it", second=10, status="exited")
    await enter(world, "b", "left long ago", second=10)
    await world.handle(item("changes", 10, attributes={"x": 1}), message_id="m10")
    await world.handle(item("nobody", 10, attributes={"x": 1}), message_id="m11")
    assert {export.destination.id for export in world.sender.sent} == {"e"}

    await maps(world, d=["a"])
    await settle(world)

    assert heard(world)["d"] == ["changes", "comes", "leaves"]
    await settle(world)
    assert heard(world) == NOTHING


async def test_what_was_mapped_during_a_pause_is_backfilled_whole(world: World) -> None:
    await enter(world, "a", "p")
    await enter(world, "b", "q", "r")
    await enter(world, "b", "r", second=2, status="exited")
    await world.clock.sleep(3_600)
    heard(world)
    await maps(world, d=None)
    stored = (await world.configuration.load()).configuration
    paused = next(dataflow for dataflow in stored.dataflows if dataflow.id == "d")
    document = {
        "dataflows": [{"id": "d", "audiences": ["a", "b"], "attributes": paused.attributes, "enabled": False}],
        "destinations": [destination("d")],
    }
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    await settle(world)
    assert heard(world) == NOTHING

    await maps(world, d=["a", "b"])
    await settle(world)
    assert heard(world)["d"] == ["q"]


async def test_a_backfill_waits_while_its_dataflow_is_paused_and_goes_on_after(world: World) -> None:
    await enter(world, "b", "p")
    await world.clock.sleep(3_600)
    await maps(world, d=["b"])
    await world.clock.sleep(60)
    await maps(world, d=None)
    await settle(world, 10)
    assert heard(world) == NOTHING
    await maps(world, d=["b"])
    await settle(world)
    assert heard(world)["d"] == ["p"]


async def test_a_backfill_of_a_removed_dataflow_ends(world: World) -> None:
    await enter(world, "b", "p")
    await maps(world, d=["b"])
    await world.run_backfills()
    document = {"destinations": [destination("e")], "dataflows": [{"id": "e", "audiences": ["a"]}]}
    await apply_configuration(
        world.configuration, world.health, parse_configuration_file(document), world.clock, prune=True
    )
    await settle(world)
    assert heard(world) == NOTHING
    (stored,) = world.backfills.rows.values()
    assert (stored.backfill.state, stored.backfill.note) == (BackfillState.CANCELLED, "its dataflow was removed")


async def test_a_destination_that_is_down_is_left_alone_and_its_rows_are_not_written(world: World) -> None:
    members = [f"p{number}" for number in range(50)]
    await enter(world, "b", *members)
    await maps(world, d=["a", "b"])
    await world.run_backfills()
    world.break_down("d")
    await enter(world, "a", "x", "y", "z")
    writes = world.undelivered.writes

    await settle(world, 5)
    assert heard(world)["d"] == []
    assert world.undelivered.writes == writes
    assert {part.slice.note for part in world.backfills.parts.values()} == {"the destination is down"}

    world.mend("d")
    for _ in range(6):
        await world.clock.sleep(60)
        await world.worker.watch_destinations.run()
        await settle(world, 1)
    assert sorted(set(heard(world)["d"]) - {"x", "y", "z"}) == sorted(members)


async def test_what_fails_on_the_way_is_undelivered_and_not_lost(world: World) -> None:
    await enter(world, "b", "p", "q")
    await maps(world, d=["b"])
    await world.run_backfills()
    world.break_down("d")
    await world.run_backfills()
    world.mend("d")
    assert set(world.rows) == {("d", "p"), ("d", "q")}
    await world.retry()
    assert heard(world)["d"] == ["p", "q"]
    (stored,) = world.backfills.rows.values()
    progress = (await world.worker.backfill_statuses.of(stored.backfill)).progress
    assert (progress.members, progress.exported, progress.undelivered, progress.share) == (2, 0, 2, 1.0)


async def test_a_slice_passes_the_rest_on_when_its_time_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.services.backfills.members.MEMBERS_A_STEP", 1)
    in_one_slice = [f"p{number}" for number in range(100) if profile_key(f"p{number}")[7] == "0"]
    await enter(world, "b", *in_one_slice)
    await maps(world, d=["b"])
    await world.run_backfills()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    find = world.profiles.find

    async def slow(key: str) -> Any:
        await world.clock.sleep(BUDGET_SECONDS / 2)
        return await find(key)

    monkeypatch.setattr(world.profiles, "find", slow)
    outcomes = await world.work_slices()
    assert outcomes.count(SliceOutcome.PASSED_ON) == len(in_one_slice) // 2
    assert outcomes.count(SliceOutcome.DONE) == INDEX_BUCKETS
    assert heard(world)["d"] == sorted(in_one_slice)


async def test_what_is_read_of_the_index_is_dealt_with_before_the_slice_is_passed_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{16 * number:08x}" + "0" * 56 for number in range(600)]  # all in one slice
    for key in keys:
        await world.members.add(("ups", "b"), key)
    await maps(world, d=["b"])
    await world.run_backfills()
    find, page = world.profiles.find, world.members.page
    rows_read = 0

    async def slow(key: str) -> Any:
        await world.clock.sleep(BUDGET_SECONDS / 200)
        return await find(key)

    async def counted(*where: Any) -> Any:
        nonlocal rows_read
        rows = await page(*where)
        rows_read += len(rows)
        return rows

    monkeypatch.setattr(world.profiles, "find", slow)
    monkeypatch.setattr(world.members, "page", counted)
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    outcomes = await world.work_slices()
    assert outcomes.count(SliceOutcome.PASSED_ON) in (2, 3)
    assert rows_read == len(keys)


async def started(world: World) -> SlicePointer:
    """A backfill whose slices wait on the queue; the pointer of the one with a member."""
    await enter(world, "b", "p")
    await maps(world, d=["b"])
    await world.run_backfills()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    bucket = int(profile_key("p")[:8], 16) % INDEX_BUCKETS
    heard(world)
    return next(pointer for pointer in world.slices.waiting if pointer.bucket == bucket)


async def test_a_slice_whose_pointer_was_lost_is_started_again(world: World) -> None:
    await started(world)
    world.slices.waiting.clear()
    assert await world.run_backfills() == {}
    await world.clock.sleep(STALLED_AFTER / 1_000_000)
    assert await world.run_backfills() == {"d-2": "16 slices started again"}
    assert heard(world)["d"] == ["p"]


async def test_a_pointer_that_was_replaced_is_outdated(world: World) -> None:
    pointer = await started(world)
    world.slices.waiting.clear()
    await world.clock.sleep(STALLED_AFTER / 1_000_000 + 1)
    await world.worker.plan_backfills.run()
    assert await world.worker.work_slices.work(pointer) == SliceOutcome.OUTDATED
    assert heard(world) == NOTHING


async def test_a_pointer_of_nothing_is_outdated(world: World) -> None:
    assert await world.worker.work_slices.work(SlicePointer("unknown", 0, 1)) == SliceOutcome.OUTDATED
    await world.worker.work_slices.failed(SlicePointer("unknown", 0, 1))


async def test_the_second_of_two_workers_takes_a_slice_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = await started(world)
    find, outcomes = world.profiles.find, []

    async def interrupted(key: str) -> Any:
        monkeypatch.setattr(world.profiles, "find", find)
        outcomes.append(await world.new_worker().work_slices.work(pointer))
        return await find(key)

    monkeypatch.setattr(world.profiles, "find", interrupted)
    outcomes.append(await world.worker.work_slices.work(pointer))
    assert outcomes == [SliceOutcome.DONE, SliceOutcome.SUPERSEDED]
    assert set(heard(world)["d"]) == {"p"}


async def test_storage_that_fails_brings_the_slice_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = await started(world)

    async def broken(key: str) -> Any:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(world.profiles, "find", broken)
        with pytest.raises(StorageError):
            await world.worker.work_slices.work(pointer)
    await world.worker.work_slices.failed(pointer)
    part = world.backfills.parts["d-2", pointer.bucket].slice
    assert (part.done, part.note) == (False, "failed at every delivery; read the log")
    await world.worker.work_slices.work(pointer)
    assert heard(world)["d"] == ["p"]


async def test_a_slice_that_is_begun_again_sends_nothing_that_an_earlier_step_has_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.services.backfills.members.MEMBERS_A_STEP", 2)
    in_one_slice = [f"p{number}" for number in range(300) if profile_key(f"p{number}")[7] == "0"]
    await enter(world, "b", *in_one_slice)
    await maps(world, d=["b"])
    await world.run_backfills()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    find, found = world.profiles.find, 0

    async def find_some(key: str) -> Any:
        nonlocal found
        found += 1
        if found > 8:
            raise StorageError("no answer")
        return await find(key)

    monkeypatch.setattr(world.profiles, "find", find_some)
    pointer = next(each for each in world.slices.waiting if each.bucket == 0)
    with pytest.raises(StorageError):
        await world.worker.work_slices.work(pointer)
    monkeypatch.setattr(world.profiles, "find", find)
    assert await world.new_worker().work_slices.work(pointer) == SliceOutcome.DONE
    assert heard(world)["d"] == sorted(in_one_slice)


async def test_a_cancelled_backfill_stays_so(world: World) -> None:
    pointer = await started(world)
    cancelled = await world.worker.plan_backfills.cancel("d-2")
    assert (cancelled.state, cancelled.note) == (BackfillState.CANCELLED, "cancelled on request")
    assert await world.worker.work_slices.work(pointer) == SliceOutcome.OUTDATED
    await settle(world, 5)
    assert heard(world) == NOTHING
    assert await world.worker.plan_backfills.cancel("d-2") == cancelled
    with pytest.raises(NoSuchBackfillError, match="there is no backfill 'x'"):
        await world.worker.plan_backfills.cancel("x")


async def test_what_ended_long_ago_is_forgotten(world: World) -> None:
    await started(world)
    await world.work_slices()
    await settle(world, 1)
    await world.clock.sleep(HISTORY / 1_000_000 + 1)
    assert await world.run_backfills() == {"d-2": "forgotten"}
    assert (world.backfills.rows, world.backfills.parts) == ({}, {})


async def test_an_interrupted_note_is_taken_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is removed from the configuration only after the backfill is there, and then never comes back."""
    await enter(world, "b", "p")
    await maps(world, d=["b"])

    async def broken(*_: Any) -> None:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(world.configuration, "save", broken)
        with pytest.raises(StorageError):
            await world.worker.plan_backfills.run()
    await settle(world)
    await settle(world)
    assert heard(world)["d"] == ["p"]
    assert (await world.configuration.load()).configuration.requested_backfills == []


async def test_rows_that_no_profile_stands_behind_are_dropped_once_they_are_old(world: World) -> None:
    key = profile_key("nobody")
    await enter(world, "b", "p")
    await world.members.add(("ups", "b"), key)
    await maps(world, d=["b"])
    await settle(world)
    assert (("ups", "b"), key) in world.members.rows
    await world.clock.sleep(2 * 60 * MINUTE / 1_000_000)
    await maps(world, f=["b"])
    await settle(world)
    assert [row for _, row in world.members.rows] == [profile_key("p")]


async def test_live_changes_meanwhile_are_newer_than_the_backfill(world: World) -> None:
    pointer = await started(world)
    find = world.profiles.find

    async def overtaken(key: str) -> Any:
        world.profiles.find = find  # type: ignore[method-assign]
        before = await find(key)
        await world.handle(item("p", 5, attributes={"x": 5}), message_id="live")
        return before

    world.profiles.find = overtaken  # type: ignore[method-assign]
    await world.worker.work_slices.work(pointer)
    live, late = [export for export in world.sender.sent if export.destination.id == "d"]
    assert (live.reasons, late.reasons) == (("attribute",), ("backfill",))
    assert live.version > late.version
    assert live.config_revision == late.config_revision


async def mapped_with_a_change_since(world: World, **change: Any) -> None:
    """The members p and q are to be backfilled; by now p was changed, and exported by the mapping."""
    await enter(world, "b", "p", "q")
    await maps(world, d=["b"])
    await world.clock.sleep(CACHE_SECONDS)
    world.sender.sent.clear()
    await world.handle(item("p", 5, **change), message_id="live")


NEW_IDENTITY = {"identityMap": ids("1")}


async def test_what_a_change_has_brought_since_the_mapping_is_not_sent_again(world: World) -> None:
    await mapped_with_a_change_since(world, **NEW_IDENTITY)
    assert [(each.profile_id, each.reasons) for each in world.sender.sent] == [("p", ("identity",))]
    await settle(world)
    assert heard(world)["d"] == ["q"]
    (stored,) = world.backfills.rows.values()
    progress = (await world.worker.backfill_statuses.of(stored.backfill)).progress
    assert (progress.members, progress.exported) == (2, 1)


async def test_so_it_is_for_a_busy_profile_whose_row_is_cut_short(world: World) -> None:
    await mapped_with_a_change_since(world, **NEW_IDENTITY)
    for number in range(2 * DUE_KEPT):
        changed = item("p", 6 + number, identityMap=ids(str(number)))
        await world.handle(changed, message_id=f"live{number}")
        last = world.profiles.saves[-1]
        assert any(due.version == last.version for due in last.due.values())
    await settle(world)
    assert heard(world)["d"] == ["q"]


async def test_a_change_that_the_hub_did_not_take_is_up_to_its_retry(world: World) -> None:
    world.sender.failures["d"] = lambda lost: SendError(lost, "the connection was lost")
    await mapped_with_a_change_since(world, **NEW_IDENTITY)
    world.mend("d")
    world.retries.waiting, waiting = [], world.retries.waiting
    await settle(world)
    assert heard(world)["d"] == ["q"]
    world.retries.waiting = waiting
    await world.retry()
    assert [each.profile_id for each in world.sender.sent] == ["p"]


async def test_a_change_that_called_for_no_export_leaves_it_to_the_backfill(world: World) -> None:
    await mapped_with_a_change_since(world, attributes={"unmapped": 1})
    await settle(world)
    assert heard(world)["d"] == ["p", "q"]


async def test_what_was_sent_by_an_earlier_mapping_is_sent_by_the_new_one(world: World) -> None:
    await enter(world, "a", "p")
    await world.handle(item("p", 2, segmentMembership=membership(2, audience="b")), message_id="enters b")
    await world.handle(item("p", 3, attributes={"x": 3}), message_id="live")
    assert [each.destination.id for each in world.sender.sent if each.version == latest(world, "p")] == ["d"]
    heard(world)
    await maps(world, d=["a", "b"])
    await settle(world)
    assert heard(world)["d"] == ["p"]


async def test_one_whose_look_changed_after_the_change_is_sent_as_it_looks_by_then(world: World) -> None:
    await mapped_with_a_change_since(world, **NEW_IDENTITY)
    document = {"destinations": [destination("d", includeSegmentTimestamps=True)]}
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    await settle(world)
    assert heard(world)["d"] == ["p", "q"]


async def test_a_calm_run_sends_nothing_twice(world: World) -> None:
    """400 profiles, two changes a second before and while two backfills run, one slice after the other."""
    rng = random.Random(1)
    everybody = [f"p{number}" for number in range(400)]
    await enter(world, "b", *everybody)
    await maps(world, d=["b"], e=["b"])
    for second in range(150):
        await world.clock.sleep(1)
        changed = [item(rng.choice(everybody), 10 + second, identityMap=ids(str(rng.random()))) for _ in range(2)]
        await world.handle(*changed, message_id=f"live{second}")
        if second % 60 == 59:
            await world.worker.plan_backfills.run()
        if world.slices.waiting:
            await world.worker.work_slices.work(world.slices.waiting.pop(0))
    sent = [each.message_id for each in world.sender.sent]
    assert len(sent) - len(set(sent)) == 0
    assert {each.profile_id for each in world.sender.sent if each.destination.id == "d"} == set(everybody)


def latest(world: World, profile_id: str) -> int:
    """The version of the profile as it is stored."""
    return max(state.version for state in world.profiles.saves if state.profile_id == profile_id)


async def test_the_pace_is_kept_and_live_traffic_goes_first(world: World) -> None:
    await enter(world, "b", *(f"p{number}" for number in range(1_200)))
    await maps(world, d=["b"])
    await world.run_backfills()
    began = world.clock()
    await world.run_backfills()
    assert len(heard(world)["d"]) == 1_200
    assert world.clock() - began > 60_000_000 + 1_000_000  # 500 a second, and some slices begin at the same time


async def test_progress_says_how_far_it_is(world: World) -> None:
    pointer = await started(world)
    await world.worker.work_slices.work(pointer)
    part = Slice("d-2", (pointer.bucket + 1) % INDEX_BUCKETS, cursor="8" * 64, share=0.5, members=20, updated_at=1)
    etag = world.backfills.parts["d-2", part.bucket].etag
    await world.backfills.save_slice(StoredSlice(part, etag))
    await world.clock.sleep(42)
    (stored,) = world.backfills.rows.values()
    progress = (await world.worker.backfill_statuses.of(stored.backfill)).progress
    assert ProgressView.model_validate(progress).document() == {
        "members": 21,
        "exported": 1,
        "undelivered": 0,
        "share": 0.094,
        "membersPerSecond": 0.5,
        "secondsLeft": 406,
    }


async def test_all_members_are_found_in_however_many_audiences_and_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.services.backfills.member_merge._ROWS_AHEAD", 4)
    monkeypatch.setattr("shared.services.backfills.member_merge._SMALLEST_PAGE", 2)
    everybody = [f"p{number}" for number in range(200)]
    for number, audience in enumerate("bcd"):
        await enter(world, audience, *everybody[number :: number + 1])
    await maps(world, d=["b", "c", "d"])
    await settle(world)
    assert heard(world)["d"] == sorted(everybody)


async def test_the_index_can_be_made_anew(world: World) -> None:
    await enter(world, "b", "p", "q")
    await enter(world, "c", "q")
    await enter(world, "c", "q", second=2, status="exited")
    before = set(world.members.rows)
    world.members.rows.clear()
    *_, last = [each async for each in world.worker.rebuild_index.run()]
    assert set(world.members.rows) == before
    assert (last.buckets, last.of_buckets, last.profiles, last.rows) == (32, 32, 2, 3)


def test_constants_hold_together() -> None:
    """A slice that works must not look stalled, and what ended stays in sight for a while."""
    assert STALLED_AFTER > 2 * BUDGET_SECONDS * 1_000_000
    assert HISTORY >= 30 * DAY
