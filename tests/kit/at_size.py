"""A world as large as the app is sized for, with one destination down: for pages to be looked at."""

import random
from collections import Counter

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.rule import THE_APP
from shared.domain.alerts.rules import RULES
from shared.domain.audiences.counts import CountedAudiences
from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.domain.instants import DAY, MILLISECOND, MINUTE, SECOND
from shared.domain.messages.queue_kind import QueueKind
from shared.domain.runs import SLOT, Histogram, RunCounts, RunSlot, slot_of
from shared.errors import FailureCode
from shared.ports.alerts import Stored
from shared.ports.audit import AuditEntry
from shared.ports.backfills import StoredBackfill, StoredSlice
from shared.ports.health import DestinationTrouble
from shared.ports.undelivered import StoredUndelivered
from tests.kit.builders import configuration, destination, item, membership
from tests.kit.world import World

DESTINATIONS, AUDIENCES, MAPPED, ATTRIBUTES = 100, 250, 46, 60
WAITING, FAILED, QUARANTINED = 10_000, 500, 120
IDS = [f"d{number:03}" for number in range(DESTINATIONS)]
DOWN = IDS[0]
_KINDS = ("CRM", "Ads platform", "Recommendation engine for the web shop", "Warehouse", "Call center")
_FAILURES = (
    (UndeliveredState.DEAD, FailureCode.TOO_LARGE, "the hub takes events of at most 1,046,528 bytes"),
    (UndeliveredState.RETRYING, FailureCode.TIMEOUT, "no acknowledgement within 30 s"),
)
_ALERTS = {"dead-rows": 12.0, "failure-rate": 0.12, "slow-exports": 1234.5, "key-expiring": 9.5}
_HOUR = 60 * MINUTE


async def world_at_size() -> World:
    world = World()
    audiences = [(f"{number:03}a41c2e-7d0b-4d1f-9a2e-5b6c7d8e9f{number:03}", "ups") for number in range(AUDIENCES)]
    world.configuration.put(configuration(_document(audiences)).model_copy(update={"requested_backfills": []}))
    world.worker = world.new_worker()
    keys = [(namespace, audience_id) for audience_id, namespace in audiences]
    await _exported(world)
    await _counted(world, keys)
    for number in range(3):
        memberships = membership(1, audience=audiences[0][0])
        attributes = {"loyalty": {"field01": number, "points": 7}, "person": {"name": {"lastName": "Doe"}}}
        changed = item(f"p{number}@example.com", 1, attributes=attributes, segmentMembership=memberships)
        await world.handle(changed, message_id=f"m{number}")
    await _failing(world)
    await _alerted(world)
    await _under_way(world, keys)
    for number in range(QUARANTINED):
        await world.handle({"profileId": f"bad-{number}", "occurredAt": "soon"}, message_id=f"q{number:03}")
    await world.worker.runs.flush()
    return world


def _document(audiences: list[tuple[str, str]]) -> dict[str, object]:
    attributes = [f"/loyalty/field{number:02}" for number in range(ATTRIBUTES - 1)] + ["/person/name"]
    return {
        "audiences": [
            {"id": each, "namespace": namespace, "name": f"Cart left behind, region {number:03}"}
            for number, (each, namespace) in enumerate(audiences)
        ]
        + [{"id": "listed", "name": "VIP list", "origin": "custom-upload"}],
        "destinations": [
            destination(each) | {"name": f"{_KINDS[number % len(_KINDS)]} {number:03}"}
            for number, each in enumerate(IDS)
        ],
        "dataflows": [
            {
                "id": each,
                "audiences": [{"id": audience} for audience, _ in audiences[number % 5 : MAPPED * 5 : 5]],
                "attributes": attributes,
                "enabled": number % 17 != 7,
            }
            for number, each in enumerate(IDS)
            if number % 23 != 9
        ],
    }


async def _exported(world: World) -> None:
    """A day, hour by hour."""
    rng = random.Random(3)
    for each in IDS:
        for hour in range(24):
            latency = Histogram()
            latency.add(rng.randint(60, 240) * MILLISECOND)
            counts = RunCounts(activated=Counter({"audience": rng.randint(0, 5_000), "audience,attribute": 7}))
            counts.latency, counts.parked = latency, 40 if each == DOWN else 0
            await world.runs.put(each, RunSlot(slot_of(world.clock()) - hour * 6 * SLOT, counts), "one")


async def _counted(world: World, keys: list[tuple[str, str]]) -> None:
    """A month of sweeps."""
    for days in range(30, 0, -1):
        at = world.clock() - days * DAY + _HOUR
        members = {key: 12_345 * number - 99 * days for number, key in enumerate(keys, 1)}
        await world.audience_counts.put(CountedAudiences(at, at - DAY, members, {key: [1_383, 179] for key in keys}))


async def _failing(world: World) -> None:
    """One destination is down; others have some that are dead or tried again."""
    now = world.clock()
    error = "contoso.servicebus.windows.net did not answer within 30 s"
    trouble = DestinationTrouble(DOWN, recovering=False, since=now, error=error, code=FailureCode.UNREACHABLE)
    await world.health.put(trouble)
    down = (UndeliveredState.PARKED, FailureCode.DESTINATION_DOWN, "the destination is down")
    for number in range(WAITING + FAILED):
        waits = number < WAITING
        state, code, why = down if waits else _FAILURES[number % 2]
        row = Undelivered(
            destination_id=DOWN if waits else IDS[1 + number % 30],
            profile_id=f"profile-{number:05}@example.com",
            state=state,
            version=now,
            reasons=("audience",),
            occurred_at=now,
            attempts=0 if waits else 2,
            first_failed_at=now,
            last_failed_at=now,
            last_error=why,
            code=code,
        )
        await world.undelivered.save(StoredUndelivered(row, None))
    world.queues.put(QueueKind.CHANGES, messages=2_340)
    world.queues.put(QueueKind.CHANGES, poison=True, messages=3)
    world.clock.now += 9 * MINUTE


async def _alerted(world: World) -> None:
    now = world.clock()
    found = [(DOWN, "destination-down", 540.0), (THE_APP, "poison-messages", 3.0)]
    rules = list(_ALERTS.items())
    found += [(IDS[1 + number], *rules[number % len(rules)]) for number in range(68)]
    for number, (destination_id, rule, value) in enumerate(found):
        alert = Alert(
            id=f"a{number}",
            destination_id=destination_id,
            rule=rule,
            threshold=RULES[rule].threshold,
            value=value,
            opened_at=now - number * MINUTE,
            resolved_at=now if number >= 60 else 0,
        )
        await world.alerts.alerts.save(Stored(alert, None))


async def _under_way(world: World, keys: list[tuple[str, str]]) -> None:
    now = world.clock()
    states = (BackfillState.RUNNING, BackfillState.WAITING, BackfillState.DONE, BackfillState.CANCELLED)
    for number in range(32):
        at = now - number * 13 * MINUTE
        backfill = Backfill(
            id=f"b{number:02}",
            kind=BackfillKind.BACKFILL,
            state=states[number % 4],
            requested_at=at,
            due_at=at,
            destination_id=IDS[number % 3],
            audiences=tuple((key, None) for key in keys[: 1 + number % 3]),
            started_at=at,
            finished_at=at + MINUTE if number % 4 > 1 else 0,
        )
        await world.backfills.save(StoredBackfill(backfill, None))
        part = Slice(f"b{number:02}", 0, share=0.4, members=70_000, exported=68_600, updated_at=now)
        await world.backfills.save_slice(StoredSlice(part, None))
        who = ("ann@example.com", "somebody-with-a-long-name.of-the-platform-team@example.com")[number % 2]
        entry = AuditEntry(at, who, f"PUT /api/dataflows/{IDS[number]}", status=(200, 412, 0)[number % 3])
        entry.details.append("backfill crm-000-17 requested")
        await world.audit.begin(entry)
    world.clock.now += SECOND
