"""Resyncs over fakes: who is exported again, once, whoever asks how often, and whatever happens on the way."""

import asyncio
import random
from typing import Any

import pytest

from shared.domain.backfills.backfill import BackfillState
from shared.domain.backfills.resync import ResyncOrder
from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import MINUTE, format_instant
from shared.domain.messages.pointers import SlicePointer
from shared.domain.messages.resync_item import MOST_PROFILES, ResyncRequest
from shared.domain.profile_key import INDEX_BUCKETS, profile_key
from shared.errors import (
    ConfigurationError,
    ConflictError,
    NotConfiguredError,
    ResyncRefusedError,
    StorageError,
)
from shared.ports.backfills import StoredBackfill
from shared.services.backfills.planner import PlanBackfills
from shared.services.backfills.resyncs import RequestedResync, RequestResync
from shared.services.configuration.apply import apply_configuration
from shared.views.backfills import BackfillView
from tests.kit.builders import NOW, destination, item, membership
from tests.kit.world import World

EVERYTHING = {"type": "everything"}


@pytest.fixture
async def world() -> World:
    """p and q are in a, r in b, both mapped by d; s has left a; t never was in it; u is in c, which nobody maps."""
    world = World()
    await configure(world)
    entered = [("p", "a"), ("q", "a"), ("r", "b"), ("s", "a"), ("u", "c")]
    for profile_id, audience in entered:
        change = item(profile_id, 1, segmentMembership=membership(1, audience=audience))
        await world.handle(change, message_id=profile_id)
    for profile_id in "st":
        left = item(profile_id, 2, segmentMembership=membership(2, "exited"))
        await world.handle(left, message_id=f"{profile_id}2")
    await world.clock.sleep(60)
    await world.run_backfills()
    world.sender.sent.clear()
    return world


async def configure(world: World, *, known: bool = True, **fields: Any) -> None:
    document = {
        "destinations": [destination("d", **fields), destination("e")],
        "dataflows": [{"id": "d", "audiences": ["a", "b"], "consent": None}],
    }
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    if known:
        world.worker.configuration.outdate()


async def ask(world: World, scope: dict[str, Any] | None = None, **fields: Any) -> RequestedResync:
    request = ResyncRequest.model_validate({"scope": scope or EVERYTHING, **fields})
    return await world.worker.resyncs.request("d", request)


def heard(world: World) -> list[str]:
    """Whom d was told of, and forget it; all by resyncs."""
    assert {export.reasons for export in world.sender.sent} <= {("resync",)}
    told = sorted(export.profile_id for export in world.sender.sent)
    world.sender.sent.clear()
    return told


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (EVERYTHING, "pqrs"),
        ({"type": "audience", "id": "a"}, "pqs"),
        ({"type": "audience", "id": "b", "namespace": "ups"}, "r"),
        ({"type": "profiles", "profileIds": ["q", "s", "t", "u", "nobody", "q"]}, "qs"),
        ({"type": "saved-since", "since": format_instant(NOW - MINUTE)}, "pqrs"),
        ({"type": "key-range", "first": "0", "last": "f"}, "pqrs"),
    ],
)
async def test_whom_a_scope_exports_again_once(world: World, scope: dict[str, Any], told: str) -> None:
    requested = await ask(world, scope)
    assert requested.created
    await world.work_slices()
    assert heard(world) == list(told)
    await world.run_backfills()
    status = await world.worker.backfill_statuses.get(requested.backfill.id)
    assert (status.backfill.state, status.progress.exported, status.progress.share) == ("done", len(told), 1.0)
    view = BackfillView.of(status)
    assert view.resync is not None
    assert (view.kind, view.resync.scope) == ("resync", scope["type"])


@pytest.mark.parametrize("started_knowing", [True, False])
async def test_asked_for_right_after_a_change_of_the_configuration_it_begins_at_once(
    world: World, started_knowing: bool
) -> None:
    """Whoever takes a slice may have read the configuration before that change, and has it for a while."""
    starting, working = world.worker, world.new_worker()
    for worker in (starting, working):
        await worker.configuration.current()
    await configure(world, known=False, includeSegmentNames=True)
    if started_knowing:
        starting.configuration.outdate()
    world.worker = starting
    await ask(world)
    world.worker = working
    await world.work_slices()
    assert heard(world) == list("pqrs")


async def test_what_was_saved_since(world: World) -> None:
    since = format_instant(world.clock())
    await world.handle(item("q", 3, segmentMembership=membership(3)), message_id="q3")
    await world.handle(item("p", 3, segmentMembership=membership(3, "exited")), message_id="p3")
    world.sender.sent.clear()
    await ask(world, {"type": "saved-since", "since": since})
    await world.work_slices()
    assert heard(world) == ["p", "q"]


async def test_ranges_share_all_members_between_them(world: World) -> None:
    keys = sorted(map(profile_key, "pqrs"))
    for first, last in [("0", keys[1]), (f"{int(keys[1], 16) + 1:064x}", keys[2][:40]), (keys[3], "f")]:
        await ask(world, {"type": "key-range", "first": first, "last": last}, ifRunning="replace")
        await world.work_slices()
    assert heard(world) == list("pqrs")


def test_a_range_of_all_begins_before_the_first_key_and_shares_reach_one() -> None:
    whole = ResyncOrder.of(request({"type": "key-range", "first": "0", "last": "f"}).scope)
    assert (whole.after, whole.last) == ("", "f" * 64)
    behind = ResyncOrder.of(request({"type": "key-range", "first": "8", "last": "9"}).scope)
    assert (behind.after, behind.last) == ("7" + "f" * 63, "9" + "f" * 63)


def request(scope: dict[str, Any]) -> ResyncRequest:
    return ResyncRequest.model_validate({"scope": scope})


async def test_whoever_does_not_consent_is_left_out(world: World) -> None:
    document = {
        "destinations": [destination("d")],
        "dataflows": [{"id": "d", "audiences": ["a", "b"], "consent": "/ok"}],
    }
    await apply_configuration(world.configuration, world.health, parse_configuration_file(document), world.clock)
    world.worker.configuration.outdate()
    await world.handle(item("q", 3, attributes={"ok": True}), message_id="ok")
    world.sender.sent.clear()
    await ask(world)
    await world.work_slices()
    assert heard(world) == ["q"]


async def test_an_export_is_the_same_as_the_change_brought(world: World) -> None:
    await world.handle(item("p", 3, segmentMembership=membership(3, audience="b")), message_id="p3")
    (live,) = world.sender.sent
    world.sender.sent.clear()
    await ask(world, {"type": "profiles", "profileIds": ["p"]})
    await world.work_slices()
    (again,) = world.sender.sent
    assert (again.body, again.message_id, again.reasons) == (live.body, live.message_id, ("resync",))


async def test_a_key_means_one_resync_however_often_it_is_asked_for(world: World) -> None:
    first = await ask(world, idempotencyKey="k")
    again = await ask(world, idempotencyKey="k")
    await world.work_slices()
    await world.run_backfills()
    later = await ask(world, idempotencyKey="k")
    assert (first.created, again.created, later.created) == (True, False, False)
    assert first.backfill.id == again.backfill.id == later.backfill.id
    assert later.backfill.state == BackfillState.DONE
    await world.work_slices()
    assert heard(world) == list("pqrs")
    with pytest.raises(ResyncRefusedError, match="another scope"):
        await ask(world, {"type": "audience", "id": "a"}, idempotencyKey="k")


async def test_one_that_runs_refuses_is_joined_or_replaced(world: World) -> None:
    running = (await ask(world)).backfill.id
    with pytest.raises(ResyncRefusedError, match=running):
        await ask(world)
    with pytest.raises(ResyncRefusedError, match=running):
        await ask(world, {"type": "audience", "id": "a"}, ifRunning="join")
    joined = await ask(world, ifRunning="join", idempotencyKey="mine")
    assert (joined.backfill.id, joined.created) == (running, False)
    assert (await ask(world, ifRunning="join")).backfill.id == running

    replaced = await ask(world, {"type": "audience", "id": "b"}, ifRunning="replace")
    assert replaced.created
    assert (await world.worker.backfill_statuses.get(running)).backfill.note == "cancelled on request"
    await world.work_slices()
    assert heard(world) == ["r"]
    assert (await ask(world, idempotencyKey="mine")).backfill.id == running, "the key means what it was joined to"
    unfinished = [each.id for each in await world.worker.plan_backfills.all() if each.resync and not each.finished]
    assert unfinished == [replaced.backfill.id]


@pytest.mark.parametrize("keys", [("k", "k"), (None, None), ("k", "l")])
@pytest.mark.parametrize("if_running", ["refuse", "join", "replace"])
async def test_two_that_ask_at_the_same_moment_never_make_two(
    world: World, keys: tuple[str | None, str | None], if_running: str
) -> None:
    asked = (ask(world, idempotencyKey=key, ifRunning=if_running) for key in keys)
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, (RequestedResync, ConflictError, ResyncRefusedError)) for each in results)
    rows = [stored.backfill async for stored in world.backfills.all()]
    assert len([each for each in rows if each.resync and not each.finished]) <= 1


@pytest.mark.parametrize("one_behind_the_other", [True, False])
async def test_the_timer_and_the_request_hand_out_each_slice_once_between_them(
    world: World, monkeypatch: pytest.MonkeyPatch, one_behind_the_other: bool
) -> None:
    """Both may find it waiting, each on an instance of its own: whoever took a slice twice would export it twice."""
    with monkeypatch.context() as asked_alone:
        asked_alone.setattr(PlanBackfills, "start", _nothing)
        requested = (await ask(world)).backfill
    found = [await world.backfills.load(requested.id) for _ in range(2)]
    starting = [
        worker.plan_backfills.start(stored)
        for worker, stored in zip((world.worker, world.new_worker()), found, strict=True)
        if stored
    ]
    if one_behind_the_other:
        await starting[0]
        with pytest.raises(ConflictError):
            await starting[1]
    else:
        await asyncio.gather(*starting, return_exceptions=True)
    assert sorted(pointer.bucket for pointer in world.slices.waiting) == list(range(INDEX_BUCKETS))
    await world.work_slices()
    assert heard(world) == list("pqrs")


async def _nothing(_plan: PlanBackfills, _stored: StoredBackfill) -> None:
    """Whoever asked died, or is slow."""


async def test_a_slice_that_was_made_and_never_handed_out_is_found_by_the_timer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(world.slices, "put", _dies)
        requested = (await ask(world)).backfill
    assert await world.backfills.slices(requested.id)
    assert world.slices.waiting == []
    for _ in range(5):
        await world.run_backfills()
    assert heard(world) == list("pqrs")
    assert (await world.worker.backfill_statuses.get(requested.id)).backfill.state == BackfillState.DONE


async def test_what_is_done_is_not_done_again_where_the_start_was_never_noted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = world.backfills.save

    async def dies_at_the_end(stored: StoredBackfill) -> None:
        if stored.backfill.state == BackfillState.RUNNING:
            raise StorageError("the worker dies")
        await save(stored)

    with monkeypatch.context() as dying:
        dying.setattr(world.backfills, "save", dies_at_the_end)
        requested = (await ask(world)).backfill
    await world.work_slices()
    for _ in range(3):
        await world.run_backfills()
    assert heard(world) == list("pqrs")
    assert (await world.worker.backfill_statuses.get(requested.id)).backfill.state == BackfillState.DONE


async def _dies(_pointer: SlicePointer) -> None:
    raise StorageError("the worker dies")


async def test_a_request_that_died_is_taken_up_by_the_same_one_or_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Any) -> Any:
        raise StorageError("down")

    for key in ("again", "never again"):
        with monkeypatch.context() as patch:
            patch.setattr(RequestResync, "_others", lambda *_: broken(None))  # the row is there, and nothing more
            with pytest.raises(StorageError):
                await ask(world, idempotencyKey=key)
        if key == "again":
            taken_up = await ask(world, idempotencyKey=key)
            assert taken_up.created
            await world.work_slices()
            assert heard(world) == list("pqrs")
            await world.run_backfills()
    assert "cancelled" in (await world.run_backfills(after_seconds=120)).values()
    assert heard(world) == []


async def test_it_waits_while_the_dataflow_is_paused_and_ends_with_it(world: World) -> None:
    await world.worker.destinations.pause("d")
    requested = await ask(world)
    await world.run_backfills()
    status = await world.worker.backfill_statuses.get(requested.backfill.id)
    assert (status.backfill.state, status.standstill and status.standstill.reason) == ("waiting", "paused")
    await world.worker.destinations.unmap("d")
    assert (await world.run_backfills())[requested.backfill.id] == "cancelled"
    with pytest.raises(NotConfiguredError):
        await ask(world)
    assert heard(world) == []


async def test_keys_of_named_profiles_are_kept_until_it_has_ended(world: World) -> None:
    requested = await ask(world, {"type": "profiles", "profileIds": ["p", "q", "p"]})
    assert requested.backfill.resync is not None
    assert requested.backfill.resync.keys == tuple(sorted(map(profile_key, "pq")))
    await world.worker.plan_backfills.cancel(requested.backfill.id)
    (kept,) = [each for each in await world.worker.plan_backfills.all() if each.resync]
    assert kept.resync is not None
    assert (kept.resync.keys, kept.resync.profiles) == ((), 2)


@pytest.mark.parametrize(
    ("scope", "problem"),
    [
        ({"type": "audience", "id": "c"}, "/scope/id: expected an audience that the dataflow maps"),
        ({"type": "saved-since", "since": "2999-01-01T00:00:00Z"}, "/scope/since: expected a time that is over"),
        ({"type": "key-range", "first": "2", "last": "1"}, "/scope/last: expected it not to be below first"),
    ],
)
async def test_scopes_that_the_dataflow_has_not(world: World, scope: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        await ask(world, scope)
    assert [each for each in await world.worker.plan_backfills.all() if each.resync] == []


@pytest.mark.parametrize("seed", range(5))
async def test_killed_at_random_it_exports_each_of_the_scope_and_each_under_one_id(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, kills = random.Random(seed), 0
    find = world.profiles.find

    async def killed_now_and_then(key: str) -> Any:
        nonlocal kills
        if rng.random() < 0.02:
            kills += 1
            raise StorageError("down")
        return await find(key)

    members = [f"m{number}" for number in range(300)]
    for profile_id in members:
        await world.handle(item(profile_id, 1, segmentMembership=membership(1)), message_id=profile_id)
    await world.clock.sleep(60)
    world.sender.sent.clear()
    monkeypatch.setattr(world.profiles, "find", killed_now_and_then)
    requested = await ask(world, {"type": "audience", "id": "a"})
    for number in range(100):
        waiting, world.slices.waiting = world.slices.waiting, []
        for pointer in waiting:
            try:
                await world.new_worker().work_slices.work(pointer)
            except StorageError:
                world.slices.waiting.append(pointer)
        live = item(rng.choice(members), 2, segmentMembership=membership(2))
        await world.handle(live, message_id=f"live-{number}")
        await world.clock.sleep(60)
        await world.new_worker().plan_backfills.run()
        status = await world.worker.backfill_statuses.get(requested.backfill.id)
        if status.backfill.finished:
            break
    assert (status.backfill.state, status.progress.members) == ("done", len(members) + 4)
    assert kills > 0
    again = [export for export in world.sender.sent if export.reasons == ("resync",)]
    assert {export.profile_id for export in again} == {*members, "p", "q", "s"}
    ids = {(export.profile_id, export.version, export.message_id) for export in again}
    assert len({(profile_id, version) for profile_id, version, _ in ids}) == len(ids)


def resync_item(**fields: Any) -> dict[str, Any]:
    return {"resync": {"destination": "d", "scope": EVERYTHING, **fields}}


async def test_a_message_may_ask_where_the_destination_lets_it(world: World) -> None:
    outcome = await world.handle(resync_item(), message_id="asks")
    assert (outcome.quarantined, outcome.resyncs) == (1, {})
    (refused,) = world.quarantine.items.values()
    assert refused.code == "invalid-resync"
    assert "expected one with resyncByMessage" in refused.reason

    await configure(world, resyncByMessage=True)
    revisions = (await world.configuration.load()).configuration.revisions
    assert revisions["d"] == 2, "what exports look like is as before"
    for _ in range(2):
        outcome = await world.handle(resync_item(), message_id="asks again")
    assert outcome.summary()["resyncs"] == {"known": 1}
    await world.work_slices()
    assert heard(world) == list("pqrs")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"resync": {"destination": "d"}}, "/resync/scope: expected this field, which is missing"),
        (resync_item(destination="nobody"), "there is no destination with this id"),
        (resync_item(scope={"type": "audience", "id": "c"}), "expected an audience that the dataflow maps"),
        (
            resync_item(scope={"type": "profiles", "profileIds": []}),
            "/resync/scope/profileIds: expected at least 1 of them",
        ),
        (resync_item(ifRunning="twice"), "/resync/ifRunning: expected"),
    ],
)
async def test_a_message_that_asks_for_no_resync_is_in_quarantine_and_its_neighbours_go_on(
    world: World, item: dict[str, Any], reason: str
) -> None:
    await configure(world, resyncByMessage=True)
    outcome = await world.handle(item, entering("v"))
    assert (outcome.quarantined, outcome.changes) == (1, 1)
    (refused,) = world.quarantine.items.values()
    assert (refused.code, reason in refused.reason) == ("invalid-resync", True), refused.reason
    assert {export.profile_id for export in world.sender.sent} == {"v"}


def entering(profile_id: str) -> dict[str, Any]:
    return item(profile_id, 5, segmentMembership=membership(5))


def test_most_profiles_fit_the_row_of_a_backfill() -> None:
    order = ResyncOrder.of(request({"type": "profiles", "profileIds": [str(n) for n in range(MOST_PROFILES)]}).scope)
    assert order.profiles == MOST_PROFILES
    assert sum(len(key) // 2 for key in order.keys) < 512 * 1024
    with pytest.raises(ValueError, match="at most 10000"):
        request({"type": "profiles", "profileIds": [str(n) for n in range(MOST_PROFILES + 1)]})
