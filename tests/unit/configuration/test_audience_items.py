"""Audience items on the queue of profile changes: into the catalog in one save, in the order of their times."""

import asyncio
import json
from typing import Any

import pytest

from shared.domain.instants import MILLISECOND, MINUTE, format_instant
from shared.domain.messages.message import decode_message
from shared.errors import ConfigurationError, ConflictError, StorageError
from shared.ports.configuration import StoredConfiguration
from shared.services.changes.export import InboundMessage
from tests.kit.builders import NOW, START, at, configuration, destination, item, membership, told
from tests.kit.world import CACHE_SECONDS, World

QUALIFIES = {"segmentMembership": membership(1)}
NOW_MS = NOW // MILLISECOND


@pytest.fixture
def world() -> World:
    """d shows names."""
    world = World()
    document = {
        "destinations": [destination("d", includeSegmentNames=True)],
        "dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/x"]}],
    }
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    return world


def audience(audience_id: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {"audience": {"id": audience_id, **named, **fields}}


async def catalog(world: World) -> dict[str, str]:
    stored = await world.configuration.load()
    return {each.id: each.name for each in stored.configuration.audiences}


async def revision(world: World) -> int:
    return (await world.configuration.load()).configuration.revision


@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"changes": [{}]}}'])
async def test_audiences_come_in_the_forms_of_changes(world: World, form: str) -> None:
    body = form.format(json.dumps(audience("a", "A", mergePolicyId="m", origin="custom-upload"))).encode()
    outcome = await world.worker.export_changes.handle(InboundMessage("m", body, NOW))
    assert outcome.summary()["audiences"] == {"saved": 1}
    (stored,) = (await world.configuration.load()).configuration.audiences
    assert (stored.key, stored.name, stored.merge_policy_id, stored.origin) == (
        ("ups", "a"),
        "A",
        "m",
        "custom-upload",
    )
    assert stored.created_at == stored.updated_at == NOW_MS


async def test_exports_of_the_same_message_show_the_audience(world: World) -> None:
    await world.handle(item("warm", 0, attributes={"x": 1}), message_id="warm")
    await world.handle(item("p", 1, **QUALIFIES), audience("a", "Gold"))
    (export,) = world.sender.sent
    assert b'"name":"Gold"' in export.body


async def test_all_audiences_of_a_message_are_one_save(world: World) -> None:
    before = await revision(world)
    await world.handle(*(audience(f"a{number}", f"A {number}") for number in range(50)))
    assert await revision(world) == before + 1
    assert len(await catalog(world)) == 50


async def test_repeats_cost_one_read_in_the_lifetime_of_the_cache(world: World) -> None:
    await world.handle(audience("a", "A"), audience("b", "B", updatedAt=NOW_MS))
    await world.handle(item("p", 1, **QUALIFIES), message_id="warm")
    before, loads = world.configuration.document, world.configuration.loads
    for number in range(10):
        outcome = await world.handle(
            audience("a", "A"), audience("b", "old", updatedAt=NOW_MS - 1), message_id=f"m{number}"
        )
        assert outcome.summary()["audiences"] == {"stale": 1, "unchanged": 1}
    assert (world.configuration.document, world.configuration.loads) == (before, loads)
    await world.clock.sleep(CACHE_SECONDS)
    await world.handle(audience("a", "A"), message_id="later")
    assert (world.configuration.document, world.configuration.loads) == (before, loads + 1)


async def test_a_message_without_audiences_costs_the_configuration_nothing(world: World) -> None:
    outcome = await world.handle(item("p", 1, **QUALIFIES, attributes={"audience": {"id": "a", "name": "x"}}))
    assert (world.configuration.loads, "audiences" in outcome.summary()) == (1, False)
    assert (await catalog(world), outcome.quarantined) == ({}, 0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_the_latest_wins_whatever_the_order(world: World, order: tuple[int, ...]) -> None:
    times = ["2026-01-11T21:00:00Z", "2026-01-11T21:00:01.5Z", NOW_MS]
    for number in order:
        await world.handle(audience("a", f"A {number}", updatedAt=times[number]), message_id=f"m{number}")
    assert await catalog(world) == {"a": "A 2"}
    in_one = [audience("b", f"B {number}", updatedAt=times[number]) for number in order]
    await world.handle(*in_one, message_id="in one")
    assert (await catalog(world))["b"] == "B 2"


async def test_what_is_left_out_is_not_kept_but_for_the_times(world: World) -> None:
    await world.handle(audience("a", "A", mergePolicyId="m", createdAt=at(1)))
    await world.clock.sleep(1)
    await world.handle(audience("a", "B"), message_id="m2")
    (stored,) = (await world.configuration.load()).configuration.audiences
    assert (stored.name, stored.merge_policy_id) == ("B", None)
    assert (stored.created_at, stored.updated_at) == (START // MILLISECOND + 1_000, NOW_MS + 1_000)


async def test_a_deleted_audience_leaves_the_catalog_unless_it_is_mapped(world: World) -> None:
    await world.handle(audience("a", "A"), audience("b", "B", updatedAt=NOW_MS))
    outcome = await world.handle(
        audience("a", deleted=True),
        audience("b", deleted=True, updatedAt=NOW_MS - 1),
        audience("nobody", deleted=True),
        message_id="m2",
    )
    assert outcome.summary()["audiences"] == {"stale": 1, "unchanged": 1}
    (refused,) = world.quarantine.items.values()
    assert refused.reason == "item 0: /audience/deleted: expected an audience that no dataflow maps"
    assert (json.loads(refused.raw), refused.item) == (audience("a", deleted=True), 0)
    assert await catalog(world) == {"a": "A", "b": "B"}

    await world.handle(audience("b", deleted=True), message_id="m3")
    assert await catalog(world) == {"a": "A"}


async def test_what_else_is_configured_stays(world: World) -> None:
    before = (await world.configuration.load()).configuration
    await world.handle(audience("z", "Z"))
    after = (await world.configuration.load()).configuration
    assert (after.destinations, after.dataflows, after.revisions) == (
        before.destinations,
        before.dataflows,
        before.revisions,
    )
    assert (after.pauses, after.requested_backfills) == (before.pauses, [])


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"audience": 3}, "/audience: expected an object"),
        (audience("", "A"), "/audience/id: expected a string that is not empty"),
        (audience("a"), "/audience: expected name, which only a deleted audience can do without"),
        (audience("a", "A", origin="x"), "/audience/origin: expected 'segmentation' or 'custom-upload'"),
        (audience("a", "A", udatedAt=1), "/audience/udatedAt: expected no such field (is its name misspelt?)"),
        (audience("a", "A", updatedAt="today"), "/audience/updatedAt: expected a date and time with a zone"),
        (audience("a", "A", updatedAt=NOW_MS * 1_000), "/audience/updatedAt: expected ISO 8601 or milliseconds"),
        (audience("a", "A", createdAt=-1), "/audience/createdAt: expected ISO 8601 or milliseconds"),
        (audience("a", "A", updatedAt=NOW_MS // 1_000), "/audience/updatedAt: expected ISO 8601 or milliseconds since"),
        (audience("a", "\ud800"), "expected Unicode text, got half of a surrogate pair"),
        (audience("a", "A") | {"changeId": "1"}, "/changeId: expected no such field"),
        (audience("a", "A") | {"profileId": "p"}, "/occurredAt: expected this field, which is missing"),
    ],
)
async def test_a_bad_one_is_quarantined_and_its_neighbours_go_on(
    world: World, written: dict[str, Any], reason: str
) -> None:
    await world.handle(audience("b", "B"), written, item("p", 1, **QUALIFIES))
    (refused,) = world.quarantine.items.values()
    assert refused.reason.startswith(f"item 1: {reason}")
    assert (json.loads(refused.raw), await catalog(world)) == (written, {"b": "B"})
    assert told(world.sender.sent) == [("d", "audience")]


async def test_a_clock_that_is_a_little_ahead_is_taken(world: World) -> None:
    await world.handle(audience("a", "A", updatedAt=format_instant(NOW + 5 * MINUTE)))
    assert (await catalog(world), world.quarantine.items) == ({"a": "A"}, {})


async def test_storage_that_fails_fails_the_message_after_its_changes_went_their_way(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:

        async def failing(*_: Any) -> None:
            raise StorageError("table Configuration: could not replace: HTTP 503")

        patch.setattr(world.configuration, "save", failing)
        with pytest.raises(StorageError, match="HTTP 503"):
            await world.handle(audience("b", "B"), item("p", 1, **QUALIFIES))
    assert told(world.sender.sent) == [("d", "audience")]
    await world.handle(audience("b", "B"), item("p", 1, **QUALIFIES))
    assert await catalog(world) == {"b": "B"}
    assert len(world.profiles.saves) == 1


async def test_others_who_change_the_configuration_meanwhile_lose_nothing(world: World) -> None:
    save, raced = world.configuration.save, 0

    async def beaten(*arguments: Any) -> None:
        nonlocal raced
        if raced < 3:
            raced += 1
            stored = await world.configuration.load()
            other = configuration({"audiences": [{"id": f"other-{raced}", "name": "O"}]}).audiences
            audiences = [*stored.configuration.audiences, *other]
            world.configuration.put(
                stored.configuration.model_copy(
                    update={"audiences": audiences, "revision": stored.configuration.revision + 1}
                )
            )
        await save(*arguments)

    world.configuration.save = beaten  # type: ignore[method-assign,assignment]
    await world.handle(audience("a", "A"))
    assert (await catalog(world)).keys() == {"a", "other-1", "other-2", "other-3"}

    async def conflict(*_: Any) -> None:
        raise ConflictError("somebody else saved the configuration first")

    world.configuration.save = conflict  # type: ignore[method-assign,assignment]
    with pytest.raises(ConflictError):
        await world.handle(audience("b", "B"), message_id="m2")


async def test_messages_of_one_worker_do_not_race(world: World) -> None:
    load = world.configuration.load

    async def slow() -> StoredConfiguration:
        stored = await load()
        for _ in range(40):
            await asyncio.sleep(0)
        return stored

    world.configuration.load = slow  # type: ignore[method-assign]
    await asyncio.gather(*(world.handle(audience(f"a{number}", "A"), message_id=f"m{number}") for number in range(30)))
    assert len(await catalog(world)) == 30


async def test_one_that_is_too_much_for_the_catalog_is_refused_alone(world: World) -> None:
    save = world.configuration.save

    async def limited(wanted: Any, etag: str | None) -> None:
        if len(wanted.model_dump_json()) > 5_000:
            raise ConfigurationError("the configuration would need more bytes than a row takes")
        await save(wanted, etag)

    world.configuration.save = limited  # type: ignore[method-assign,assignment]
    outcome = await world.handle(audience("b", "B"), audience("c", "C" * 5_000), audience("d", "D"))
    assert outcome.summary()["audiences"] == {"saved": 2}
    assert await catalog(world) == {"b": "B", "d": "D"}
    (refused,) = world.quarantine.items.values()
    assert refused.reason == "item 1: the configuration would need more bytes than a row takes"


async def test_poisoned_audiences_are_kept(world: World) -> None:
    body = json.dumps([audience("a", "A"), item("p", 1)]).encode()
    await world.worker.poisoned.changes(InboundMessage("copy", body, NOW))
    assert {json.loads(kept.raw).keys() == {"audience"} for kept in world.quarantine.items.values()} == {True, False}


def test_items_keep_their_places_and_bytes() -> None:
    source = '{ "audience": {"name":"\\u00c4", "id":"a"} }'
    decoded = decode_message(f"[{json.dumps(item('p', 1))}, {source}, 3]".encode(), NOW)
    assert ([index for index, _ in decoded.audiences], [index for index, _ in decoded.changes]) == ([1], [0])
    assert (decoded.source(1).decode(), decoded.audiences[0][1].audience.name) == (source, "Ä")
    assert [rejected.index for rejected in decoded.rejected] == [2]
