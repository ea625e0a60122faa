"""A profile for people, and the dry run: it must foretell what the real flow then exports, to the byte."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.exports import decision
from shared.domain.exports.dry_run import FORGOTTEN, NEVER_MAPPED, NO_DATAFLOW, DryRun, DryRunVerdict
from shared.domain.exports.export import Export
from shared.domain.instants import DAY, SECOND, format_instant
from shared.domain.profile_key import profile_key
from shared.errors import SendError
from shared.ports.health import DestinationTrouble
from shared.views.profiles import DryRunView, ProfileDocument
from tests.kit.builders import NOW, at, configuration, destination, ids, item, membership, told
from tests.kit.world import World

CATALOG = [{"id": "a", "name": "A", "mergePolicyId": "m"}, {"id": "b", "name": "B", "mergePolicyId": "m"}]
DATAFLOWS: list[dict[str, Any]] = [
    {"id": "d", "audiences": ["a"], "attributes": ["/x", "/o/deep"]},
    {"id": "e", "audiences": ["a", "b"], "attributes": ["/x"], "skipSameValueWrites": True},
    {"id": "f", "audiences": ["b"], "attributes": ["/o"], "triggers": {"attribute": False, "identity": False}},
    {"id": "g", "audiences": ["a"], "attributes": ["/x"], "enabled": False},
]
ASKING_CONSENT = [dataflow | {"consent": "/ok"} for dataflow in DATAFLOWS]
DESTINATIONS = [
    destination("d"),
    destination("e", includeSegmentNames=True),
    destination("f", includeSegmentTimestamps=True, onlyMappedAudiences=True, identityNamespaces=["email"]),
    destination("g"),
    destination("h"),
]


def new_world(dataflows: list[dict[str, Any]] = DATAFLOWS) -> World:
    world = World()
    document = {"audiences": CATALOG, "destinations": DESTINATIONS, "dataflows": dataflows}
    world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    return world


@pytest.fixture
def world() -> World:
    return new_world()


async def foreseen(world: World, change: object, profile_id: str = "p") -> DryRun:
    return await world.worker.explain_profile.dry_run(change, profile_id)


def why_not(run: DryRun) -> dict[str, list[str]]:
    return {verdict.destination_id: list(verdict.why) for verdict in run.verdicts if verdict.export is None}


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "segmentMembership": st.builds(
            lambda statuses: {
                "ups": {
                    audience: {"status": status, "lastQualificationTime": at(1)}
                    for audience, status in statuses.items()
                }
            },
            st.dictionaries(st.sampled_from("abc"), st.sampled_from(["realized", "exited"]), max_size=2),
        ),
        "attributes": st.dictionaries(
            st.sampled_from(["x", "o", "z", "ok"]),
            st.sampled_from([1, 2, None, True, {"deep": 1}, {"deep": None, "other": [1]}, {}]),
            max_size=2,
        ),
        "identityMap": st.sampled_from([None, {}, ids("1"), ids("1", "2"), ids("2", "1")]),
        "deleted": st.booleans(),
    },
)
CHANGES = st.lists(st.tuples(st.integers(1, 9), FIELDS), min_size=1, max_size=5)


@settings(max_examples=100)
@given(
    changes=CHANGES,
    dataflows=st.lists(
        st.sampled_from(DATAFLOWS + ASKING_CONSENT), min_size=3, max_size=4, unique_by=lambda each: each["id"]
    ),
    down=st.sets(st.sampled_from("de"), max_size=1),
)
def test_the_dry_run_foretells_what_is_exported(
    changes: list[tuple[int, dict[str, Any]]], dataflows: list[dict[str, Any]], down: set[str]
) -> None:
    asyncio.run(check_the_last_is_foretold(changes, dataflows, down))


async def check_the_last_is_foretold(
    changes: list[tuple[int, dict[str, Any]]], dataflows: list[dict[str, Any]], down: set[str]
) -> None:
    world = new_world(dataflows)
    for destination_id in down:
        await world.health.put(DestinationTrouble(destination_id, recovering=False, since=NOW, error="down"))
    *earlier, (second, fields) = changes
    for number, (moment, written) in enumerate(earlier):
        await world.handle(item("p", moment, **written), message_id=f"m{number}")
        await world.clock.sleep(0.25)
    before, rows = dict(world.profiles.rows), dict(world.undelivered.rows)
    world.sender.sent.clear()

    run = await foreseen(world, item("p", second, **fields))

    assert (world.profiles.rows, world.undelivered.rows, world.sender.sent) == (before, rows, [])
    outcome = await world.handle(item("p", second, **fields), message_id="last")

    sent = [verdict.export for verdict in run.verdicts if verdict.outcome == "sent"]
    assert sorted(map(shown, sent)) == sorted(map(shown, world.sender.sent))
    parked = {verdict.destination_id: 1 for verdict in run.verdicts if verdict.outcome == "parked"}
    assert {owner: count for (owner, _), count in outcome.undelivered.items()} == parked
    skipped = {owner: why for owner, why in outcome.skipped if owner is not None}
    silent = why_not(run)
    assert {owner: [why] for owner, why in skipped.items()}.items() <= silent.items()
    assert all(silent.values())
    assert silent.keys() | {export.destination.id for export in run.exports} == {each["id"] for each in DESTINATIONS}
    if world.profiles.rows != before and not fields.get("deleted"):
        assert run.version == world.profiles.saves[-1].version
    assert run.altered == (world.profiles.rows != before)


def shown(export: Export | None) -> tuple[Any, ...]:
    assert export is not None
    return (
        export.destination.id,
        export.reasons,
        export.body,
        export.message_id,
        sorted(export.application_properties.items(), key=str),
    )


async def test_why_each_destination_hears_nothing(world: World) -> None:
    await world.handle(item("p", 1, segmentMembership=membership(1), attributes={"x": 1}))
    await world.handle(item("p", 1, segmentMembership=membership(1, audience="b")), message_id="m2")
    run = await foreseen(world, item("p", 2, attributes={"x": 1, "o": {"other": 1}}))
    assert told(run.exports) == [("d", "attribute")]
    assert why_not(run) == {
        "e": [decision.SAME_VALUE],
        "f": [decision.TRIGGER_OFF],
        "g": [decision.PAUSED],
        "h": [NO_DATAFLOW],
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"segmentMembership": membership(1, audience="c")}, [decision.NO_STATUS]),
        ({"segmentMembership": membership(1, "exited")}, [decision.NEVER_A_MEMBER]),
        ({"attributes": {"z": 1}}, [decision.NOT_WRITTEN]),
        ({"identityMap": ids("1")}, [decision.NOT_REALIZED]),
        ({"attributes": {"z": 1}, "identityMap": ids("1")}, [decision.NOT_WRITTEN, decision.NOT_REALIZED]),
        ({"identityMap": {}}, [decision.UNMAPPED]),
        ({}, [decision.STALE]),
    ],
)
async def test_what_does_not_concern_a_destination_says_which_part_of_it(
    world: World, fields: dict[str, Any], why: list[str]
) -> None:
    assert why_not(await foreseen(world, item("p", 1, **fields)))["d"] == why


@pytest.mark.parametrize(
    "change",
    [
        {"profileId": "p"},
        item("p", 1, attributes=3, status="x"),
        item("p", 3 * 3600),
        {"profileId": 3, "occurredAt": at(1)},
        item("p", 1, attributes={"x": "\ud800"}),
        item("p", 1, attributes={"x": "y" * 20_000}),
        "no object",
    ],
)
async def test_what_would_go_to_quarantine_has_the_same_reason(world: World, change: Any) -> None:
    run = await foreseen(world, change)
    assert (run.verdicts, world.quarantine.items, world.profiles.rows) == ([], {}, {})
    await world.handle(change)
    (quarantined,) = world.quarantine.items.values()
    assert quarantined.reason == f"item 0: {'; '.join(run.problems)}"


async def test_the_profile_need_not_be_named_twice_but_must_not_be_another(world: World) -> None:
    change = {"occurredAt": at(1), "segmentMembership": membership(1)}
    assert told((await foreseen(world, change)).exports) == [("d", "audience"), ("e", "audience")]
    other = await foreseen(world, change | {"profileId": "q"})
    assert other.problems == ["/profileId: expected the profile that is asked about, or no such field"]


async def test_without_a_change_it_says_what_each_would_be_told_again(world: World) -> None:
    await world.handle(item("p", 1, segmentMembership=membership(1), attributes={"x": 1}))
    world.sender.sent.clear()
    world.break_down("d")
    await world.handle(item("p", 2, attributes={"x": 2}), message_id="m2")

    run = await foreseen(world, None)

    by_id: dict[str, DryRunVerdict] = {verdict.destination_id: verdict for verdict in run.verdicts}
    assert told(run.exports) == [("d", "attribute"), ("e", "backfill"), ("g", "backfill")]
    assert (by_id["d"].realized, by_id["f"].why, by_id["h"].why) == ((("ups", "a"),), (NEVER_MAPPED,), (NO_DATAFLOW,))
    assert (by_id["g"].outcome, by_id["g"].held_back) == ("parked", "dataflow paused")
    assert by_id["d"].undelivered is not None
    world.mend("d")
    world.sender.sent.clear()
    await world.retry()
    assert [shown(export) for export in world.sender.sent] == [shown(by_id["d"].export)]


async def test_who_does_not_consent_is_not_told_of_again() -> None:
    world = new_world(ASKING_CONSENT)
    await world.handle(item("p", 1, segmentMembership=membership(1), attributes={"ok": True}))
    assert told((await foreseen(world, None)).exports) == [("d", "backfill"), ("e", "backfill"), ("g", "backfill")]
    withdrawn = item("p", 2, attributes={"ok": False})
    run = await foreseen(world, withdrawn)
    assert [(verdict.destination_id, verdict.outcome) for verdict in run.verdicts if verdict.export] == [
        ("d", "sent"),
        ("e", "sent"),
        ("g", "parked"),
    ]
    await world.handle(withdrawn, message_id="m2")
    standing = await foreseen(world, None)
    assert told(standing.exports) == [("g", "consent")], "it waits in Undelivered until the dataflow is resumed"
    assert why_not(standing)["d"] == [decision.NO_CONSENT]


async def test_a_destination_that_this_worker_found_down_would_get_it_parked(world: World) -> None:
    for number in range(3):
        await world.worker.breakers.failed(SendError("d", f"down {number}"))
    run = await foreseen(world, item("p", 1, segmentMembership=membership(1)))
    assert [verdict.outcome for verdict in run.verdicts] == ["parked", "sent", "nothing", "nothing", "nothing"]


async def test_what_an_export_tells_of_beside_what_is_mapped(world: World) -> None:
    both = membership(1)
    both["ups"] |= membership(1, audience="b")["ups"] | membership(1, audience="c")["ups"]
    identities = ids("1") | ids("j@acme.com", namespace="email")
    run = await foreseen(world, item("p", 1, segmentMembership=both, identityMap=identities))
    document = DryRunView.of(run).document()["destinations"]
    beside = {
        each["destinationId"]: (each["unmapped"], each["leftOut"], each["identitiesLeftOut"]) for each in document
    }
    a, b = ({"namespace": "ups", "id": audience} for audience in "ab")
    # The dataflow of g is paused: there is no export that could tell of anything.
    assert beside == {
        "d": ([b], [], []),
        "e": ([], [], []),
        "f": ([], [a], ["ecid"]),
        "g": ([], [], []),
        "h": ([], [], []),
    }


async def test_a_dry_run_is_plain_json(world: World) -> None:
    run = await foreseen(world, item("p", 1, segmentMembership=membership(1), attributes={"x": 1}))
    document = DryRunView.of(run).document()
    assert json.loads(json.dumps(document)) == document
    (to_d, *_, to_h) = document["destinations"]
    assert (document["profileId"], document["at"], document["problems"]) == ("p", format_instant(NOW), [])
    assert (to_d["outcome"], to_d["export"]["reasons"], to_d["realizedIn"]) == (
        "sent",
        ["audience", "attribute"],
        [{"namespace": "ups", "id": "a"}],
    )
    assert to_d["export"]["body"]["x"] == 1
    assert to_d["export"]["applicationProperties"]["profileVersion"] == document["profileVersion"] == NOW
    assert (to_h["outcome"], to_h["export"], to_h["why"]) == ("nothing", None, [NO_DATAFLOW])


async def test_a_profile_for_people(world: World) -> None:
    world.break_down("d")
    validity = {"validUntil": "2026-03-01T00:00:00+01:00"}
    memberships = membership(1, "existing")
    memberships["ups"]["a"] |= validity
    await world.handle(
        item("p", 2, segmentMembership=memberships, attributes={"x": {"y": None, "z": [1]}}, identityMap=ids("1"))
    )

    known = await world.worker.explain_profile.look_up("p")

    assert known is not None
    document = ProfileDocument.of(known).document()
    (row,) = document.pop("undelivered")
    assert document == {
        "profileId": "p",
        "profileKey": profile_key("p"),
        "profileVersion": NOW,
        "attributes": {"x": {"z": [1]}},
        "identityMap": {"ecid": [{"id": "1"}]},
        "segmentMembership": {
            "ups": {
                "a": {"status": "realized", "lastQualificationTime": at(1), "occurredAt": at(2)} | validity,
            }
        },
        "due": [
            {
                "item": "m:0",
                "savedAt": format_instant(NOW // SECOND * SECOND),
                "profileVersion": NOW,
                "destinations": {
                    "d": ["audience", "attribute", "identity"],
                    "e": ["audience", "attribute", "identity"],
                },
            }
        ],
        "deletion": None,
        "told": [
            {
                "destinationId": each,
                "profileVersion": NOW,
                "at": format_instant(NOW),
                "reasons": ["audience", "attribute", "identity"],
                "item": "m:0",
                "waits": each == "d",
            }
            for each in ("d", "e")
        ],
        "quarantined": [],
    }
    assert (row["destinationId"], row["state"], row["profileVersion"]) == ("d", "retrying", NOW)
    assert (row["lastFailedAt"], row["reasons"]) == (format_instant(NOW), ["audience", "attribute", "identity"])


async def test_who_is_not_known_and_who_was_forgotten(world: World) -> None:
    assert await world.worker.explain_profile.look_up("p") is None
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    world.break_down("d")
    await world.handle(item("p", 2, deleted=True), message_id="m2")
    leaving = await world.worker.explain_profile.look_up("p")
    assert leaving is not None
    assert ProfileDocument.of(leaving).deletion == {
        "deletedAt": at(2),
        "savedAt": format_instant(NOW),
        "phase": "leaving",
        "owed": ["d", "g"],
    }
    await world.handle(item("q", 2, deleted=True), message_id="m3")
    tombstone = await world.worker.explain_profile.look_up("q")
    assert tombstone is not None
    document = ProfileDocument.of(tombstone).document()
    assert (document["profileId"], document["attributes"], document["segmentMembership"]) == ("q", {}, {})
    assert document["deletion"]["phase"] == "done"
    again = await foreseen(world, None, "q")
    assert set(map(tuple, why_not(again).values())) == {(FORGOTTEN,), (NO_DATAFLOW,)}


async def test_what_each_was_told_last_is_known_for_good(world: World) -> None:
    """`d` and `e` hear of the first change, `d` alone of the others, days later; no request more is made for it."""
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    for number in range(1, 4):
        world.clock.now += 2 * DAY
        await world.handle(item("p", 1 + number, attributes={"o": {"deep": number}}), message_id=f"m{number}")
    assert len(world.profiles.saves) == 4
    known = await world.worker.explain_profile.look_up("p")
    assert known is not None
    assert [(each.destination_id, each.version, each.reasons, each.item) for each in known.told] == [
        ("d", NOW + 6 * DAY, ("attribute",), "m3:0"),
        ("e", NOW, ("audience",), None),
    ]


async def test_a_profile_of_which_nothing_could_be_taken_is_known_by_that(world: World) -> None:
    await world.handle({"profileId": "p", "occurredAt": "soon"}, item("other", 1, attributes=3))
    known = await world.worker.explain_profile.look_up("p")
    assert known is not None
    document = ProfileDocument.of(known).document()
    assert (document["profileId"], document["profileVersion"], document["told"]) == ("p", 0, [])
    assert [each["item"] for each in document["quarantined"]] == [0]
    assert await world.worker.explain_profile.look_up("nobody") is None


async def test_both_answers_are_of_one_moment(world: World) -> None:
    """What a change would do is not taken for what was done."""
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    answer = await world.worker.explain_profile.explain(item("p", 2, attributes={"x": 2}), "p")
    assert answer.profile is not None
    assert answer.profile.state.version == NOW == answer.profile.told[0].version
    assert answer.foreseen.version > NOW
    assert told(answer.foreseen.exports) == [("d", "attribute"), ("e", "attribute")]
