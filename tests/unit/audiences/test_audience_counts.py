"""Members of audiences are counted by the daily sweep and by whoever saves a profile; both add up, also while changes
flow and instances are killed.
"""

import json
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.audiences.counts import AudienceCount, Crossed
from shared.domain.audiences.tally import Tally, counted_at
from shared.domain.instants import DAY, MINUTE, SECOND, parse_instant
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import NO_DESTINATION, SLOT
from shared.errors import ConflictError, StorageError
from shared.services.backfills import sweep as sweep_profiles
from shared.services.changes.export import InboundMessage
from shared.services.wiring import Services
from tests.kit.builders import NOW, item, membership
from tests.kit.world import World

A, B = ("ups", "a"), ("ups", "b")
MEMBERS = 3_000


@pytest.fixture
def world() -> World:
    return World()


async def enter(
    world: World, audience: str, *profiles: str, second: int = 1, exited: bool = False, worker: Services | None = None
) -> None:
    status = "exited" if exited else "realized"
    body = json.dumps([item(each, second, segmentMembership=membership(second, status, audience)) for each in profiles])
    message = InboundMessage(f"{audience}-{status}-{second}-{profiles[0]}", body.encode(), NOW)
    await (worker or world.worker).export_changes.handle(message)


async def sweep(world: World) -> None:
    """From the timer's run to the end, with the counts kept."""
    await world.worker.runs.flush()
    await world.worker.plan_backfills.sweep()
    await world.run_backfills()
    await world.run_backfills()


async def count_of(world: World, audience: AudienceKey = A) -> AudienceCount:
    """As somebody sees it who looks anew, a minute later, when every instance has saved what it counted."""
    await world.worker.runs.flush()
    await world.clock.sleep(60)
    return (await world.worker.audience_counts.members_of([audience]))[audience]


async def test_before_the_first_sweep_nobody_knows_how_many_there_are(world: World) -> None:
    await enter(world, "a", "p", "q")
    found = await count_of(world)
    assert (found.members, found.counted_at, found.text) == (None, None, "not counted yet: the next sweep does it")
    assert (found.hour.entered, found.week.entered, found.month.entered) == (2, 2, 2)


async def test_a_sweep_counts_and_who_comes_and_goes_is_added(world: World) -> None:
    await enter(world, "a", "p", "q", "r")
    await enter(world, "b", "p")
    await world.clock.sleep(3600)
    await sweep(world)
    assert (await count_of(world)).text == "3, counted 22:50"
    await enter(world, "a", "s", "t", second=2)
    await enter(world, "a", "p", second=3, exited=True)
    a, b = await count_of(world), await count_of(world, B)
    assert (a.counted, a.members, a.since_counted.entered, a.since_counted.left) == (3, 4, 2, 1)
    assert a.text == "about 3, counted 22:50, +1 since"
    assert (b.members, b.text) == (1, "1, counted 22:50")
    nobody = await count_of(world, ("ups", "unheard of"))
    assert (nobody.members, nobody.text) == (0, "0, counted 22:50")


def test_a_text_is_for_people() -> None:
    at = parse_instant("2026-01-12T03:00:00Z")
    found = AudienceCount(12_400, at, Crossed(at, 200, 80))
    assert found.text == "about 12,400, counted 03:00, +120 since"
    assert AudienceCount(12_400, at, Crossed(at, 80, 1_200)).text == "about 12,400, counted 03:00, -1,120 since"
    assert AudienceCount(1, at, Crossed(at, 0, 4)).members == 0


async def test_only_who_crosses_counts(world: World) -> None:
    """Not who qualifies again, comes twice, is late, or leaves what they never were in."""
    await enter(world, "a", "p", second=5)
    await enter(world, "a", "p", second=5)
    await enter(world, "a", "p", second=6)
    await enter(world, "a", "p", second=4, exited=True)
    await enter(world, "a", "q", second=4, exited=True)
    found = (await count_of(world)).hour
    assert (found.entered, found.left) == (1, 0)


async def test_the_end_of_a_profile_is_an_exit(world: World) -> None:
    await enter(world, "a", "p", "q")
    await world.clock.sleep(3600)
    await sweep(world)
    await world.handle({"profileId": "p", "occurredAt": "2026-01-11T23:00:00Z", "deleted": True}, message_id="gone")
    assert (await count_of(world)).members == 1
    await world.clock.sleep(3600)
    await sweep(world)
    assert (await count_of(world)).text.startswith("1, counted")


async def test_counts_of_days_add_up_over_time(world: World) -> None:
    for day in range(40):
        await enter(world, "a", f"p{day}", f"q{day}", second=day + 1)
        await enter(world, "a", f"p{day}", second=day + 100, exited=True)
        await world.clock.sleep((DAY - 3 * MINUTE) // SECOND)
        await sweep(world)
        await world.clock.sleep(60)
    await enter(world, "a", "last", second=1000)
    found = await count_of(world)
    assert found.members == 41
    assert (found.hour.entered, found.hour.left) == (1, 0)
    assert (found.week.entered, found.week.left) == (15, 7)
    assert (found.month.entered, found.month.left) == (61, 30)
    assert [day.members for day in found.days] == list(range(11, 41))
    assert {(day.entered, day.left) for day in found.days} == {(2, 1)}
    assert len(world.audience_counts.rows) <= 33


async def test_what_was_kept_in_memory_is_what_a_new_instance_reads(world: World) -> None:
    for hour in range(30):
        await enter(world, "a", f"p{hour}", second=hour + 1)
        if hour == 7:
            await sweep(world)
        kept = await count_of(world)
        assert kept == (await world.new_worker().audience_counts.members_of([A]))[A]
        await world.clock.sleep(random.Random(hour).choice([600, 3600, 7000]))
    assert kept.members == 30


async def test_pages_that_are_looked_at_again_read_little(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = world.runs.read

    async def counting(destination_id: str, since: int, until: int) -> Any:
        reads.append(until - since)
        return await read(destination_id, since, until)

    monkeypatch.setattr(world.runs, "read", counting)
    await enter(world, "a", "p")
    for _ in range(5):
        await world.worker.audience_counts.members_of([A, B])
    assert len(reads) == 1
    await world.clock.sleep(60)
    await world.worker.audience_counts.members_of([A])
    assert len(reads) == 2
    assert reads[1] < 2 * 6 * SLOT


async def test_changes_while_a_sweep_counts_are_neither_missed_nor_counted_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody comes and goes at random between the steps of a sweep; then the count is what the profiles say."""
    monkeypatch.setattr(sweep_profiles, "PROFILES_A_STEP", 20)
    chance = random.Random(7)
    names = [f"p{number}" for number in range(MEMBERS)]
    inside = set()
    for start in range(0, MEMBERS, 100):
        some = [name for name in names[start : start + 100] if chance.random() < 0.6]
        await enter(world, "a", *some, second=1)
        inside |= set(some)
    await world.clock.sleep(3600)
    await world.worker.plan_backfills.sweep()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    second = 10
    workers = [world.worker, world.new_worker()]
    stepped = sweep_profiles._SliceOfProfiles.step

    async def after_some_crossed(self: Any) -> Any:
        nonlocal second
        second += 1
        for name in chance.sample(names, 8):
            await enter(world, "a", name, second=second, exited=name in inside, worker=chance.choice(workers))
            inside.symmetric_difference_update({name})
        await world.clock.sleep(chance.choice([0, 1, 30]))
        return await stepped(self)

    monkeypatch.setattr(sweep_profiles._SliceOfProfiles, "step", after_some_crossed)
    while world.slices.waiting:
        await world.worker.work_slices.work(world.slices.waiting.pop(chance.randrange(len(world.slices.waiting))))
    for worker in workers:
        await worker.runs.flush()
    await world.run_backfills()
    found = await count_of(world)
    assert second > 100
    assert found.counted_at is not None
    assert found.members == len(inside)


async def test_instances_that_are_killed_lose_what_they_had_not_saved_until_the_next_sweep(world: World) -> None:
    names = [f"p{number}" for number in range(300)]
    await enter(world, "a", *names)
    await world.clock.sleep(3600)
    await sweep(world)
    lost = 0
    for number, name in enumerate(names):
        worker = world.new_worker()
        await enter(world, "a", name, second=number + 2, exited=True, worker=worker)
        if number % 3:
            await worker.runs.flush()
        else:  # killed
            lost += 1
    assert (await count_of(world)).members == lost
    await world.clock.sleep(3600)
    await sweep(world)
    assert (await count_of(world)).text.startswith("0, counted")


async def test_a_slice_that_is_begun_again_counts_nobody_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_profiles, "PROFILES_A_STEP", 10)
    await enter(world, "a", *(f"p{number}" for number in range(400)))
    await world.clock.sleep(3600)
    await world.worker.plan_backfills.sweep()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    chance, stepped = random.Random(3), sweep_profiles._SliceOfProfiles.step

    async def dies_at_times(self: Any) -> Any:
        done = await stepped(self)
        await world.clock.sleep(6)  # a checkpoint after every step
        if chance.random() < 0.3:
            raise StorageError("killed")
        return done

    monkeypatch.setattr(sweep_profiles._SliceOfProfiles, "step", dies_at_times)
    killed = 0
    while world.slices.waiting:
        pointer = world.slices.waiting.pop(0)
        try:
            await world.new_worker().work_slices.work(pointer)
        except (StorageError, ConflictError):
            killed += 1
            world.slices.waiting.append(pointer)
    assert killed > 5
    await world.run_backfills()
    assert (await count_of(world)).counted == 400


async def test_a_sweep_that_an_instance_of_release_0_1_took_part_in_counts_nothing(world: World) -> None:
    await enter(world, "a", "p", "q")
    await world.clock.sleep(3600)
    await sweep(world)
    assert (await count_of(world)).counted == 2
    await enter(world, "a", "r", second=5)
    await world.worker.plan_backfills.sweep()
    await world.clock.sleep(60)
    await world.worker.plan_backfills.run()
    await world.work_slices()
    sweeps = [stored async for stored in world.backfills.all()]
    for stored in await world.backfills.slices(sweeps[-1].backfill.id):
        stored.slice = replace(stored.slice, tally="")
        await world.backfills.save_slice(stored)
    await world.run_backfills()
    found = await count_of(world)
    assert (found.counted, found.members) == (2, 3)


async def test_counts_are_told_as_metrics_of_what_is_mapped(world: World) -> None:
    await enter(world, "a", "p", "q")
    await enter(world, "b", "p")
    await enter(world, "a", "q", second=2, exited=True)
    await world.worker.runs.flush()
    assert world.metrics.crossings == Counter({(A, True): 2, (A, False): 1})
    await world.clock.sleep(3600)
    await sweep(world)
    assert world.metrics.members == {A: 1}


async def test_more_audiences_than_are_counted_are_said_to_be_unknown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tally", "counts"):
        monkeypatch.setattr(f"shared.domain.audiences.{module}.MOST_AUDIENCES", 1)
    await enter(world, "a", "p")
    await enter(world, "b", "p")
    await world.clock.sleep(3600)
    await sweep(world)
    assert sorted([(await count_of(world, each)).counted for each in (A, B)], key=str) == [1, None]


def test_a_sweep_counts_as_of_a_slot_that_was_saved_when_it_began() -> None:
    assert counted_at(NOW) == NOW - SLOT
    assert counted_at(NOW + MINUTE) == NOW
    assert Tally(NOW).to_text() == '{"profiles":0,"members":{}}'


async def test_slots_have_what_crossed_in_them(world: World) -> None:
    await enter(world, "a", "p")
    await world.worker.runs.flush()
    (slot,) = await world.runs.read(NO_DESTINATION, NOW, NOW + SLOT)
    assert slot.counts.audiences == {A: [1, 0]}
