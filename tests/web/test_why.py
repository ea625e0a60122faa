"""The page that says why a profile was exported, or not: what happened, and what would happen now."""

import re

from shared.domain.instants import MINUTE
from tests.kit.builders import configuration, destination, item, membership
from tests.kit.console import Console, text_of
from tests.kit.world import DOCUMENT

HOUR = 60 * MINUTE


async def test_why_is_answered_destination_by_destination(console: Console) -> None:
    await console.world.handle(item("p", 1, attributes={"x": 1}, segmentMembership=membership(1)))
    text = text_of(await console.submit("/console/why", {"profile_id": "p", "change": '{"attributes": {"q": 1}}'}), 422)
    assert "/occurredAt" in text
    change = '{"occurredAt": "2026-01-11T22:00:00Z", "attributes": {"x": 2}}'
    text = text_of(await console.submit("/console/why", {"profile_id": "p", "change": change}))
    assert re.search(
        r"If this change came now Would be exported D d Because of: attribute .*"
        r"Nothing E e Because: maps no attribute that was written",
        text,
    )
    assert "Nothing is known of the profile" in text_of(await console.submit("/console/why", {"profile_id": "q"}))
    for fields in ({"profile_id": ""}, {"profile_id": "p", "change": "{"}, {"profile_id": "p", "change": "[" * 99}):
        text_of(await console.submit("/console/why", fields), 422)
    for entry in console.world.audit.entries.values():
        assert "p" not in entry.details


async def test_why_tells_what_happened_of_whom_it_concerns(console: Console) -> None:
    world = console.world
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    world.clock.now += 2 * HOUR
    world.break_down("d")
    await world.handle(item("p", 2, attributes={"x": 1}), {"profileId": "p", "occurredAt": "soon"}, message_id="m2")
    world.clock.now += MINUTE
    text = text_of(await console.submit("/console/why", {"profile_id": "p"}))
    assert re.search(
        r"What happened Retrying D d An export waits, for 1 min : other Down\. Because of attribute · version \d+ · "
        r"1 attempt, the last 1 min ago Waits 1 min ago , because of attribute: version \d+ of message m2:0 "
        r"Exported 2 h ago , because of audience: version \d+ of message m:0 "
        r"E e Exported 2 h ago , because of audience: version \d+ of message m:0 All that changes .*"
        r"In quarantine 1 item of this profile, .*Received .* ago message m2 , item 1 invalid-change .*"
        r"If it were told again now .*Would be exported D d .*In the mapped audiences",
        text,
    )
    alone = text_of(await console.submit("/console/why", {"profile_id": "p", "destination": "e"}))
    assert "What happened E e Exported" in alone
    assert "D d" not in alone


async def test_why_folds_whom_it_does_not_concern(console: Console) -> None:
    document = DOCUMENT | {"destinations": [*DOCUMENT["destinations"], *(destination(f"o{n}") for n in range(3))]}
    console.world.configuration.put(configuration(document).model_copy(update={"requested_backfills": []}))
    await console.world.handle(item("p", 1, segmentMembership=membership(1)))
    await console.world.handle(item("stranger", 1, segmentMembership=membership(1, audience="unmapped")))
    assert "3 have no dataflow" in text_of(await console.submit("/console/why", {"profile_id": "p"}))
    text = text_of(await console.submit("/console/why", {"profile_id": "stranger"}))
    assert "No change has called for an export of it" in text
    assert re.search(r"If it were told again now 2 map none of its audiences D d , E e 3 have no dataflow", text)


async def test_why_says_that_a_profile_is_forgotten(console: Console) -> None:
    world = console.world
    await world.handle(item("p", 1, segmentMembership=membership(1)))
    world.break_down("d")
    await world.handle(item("p", 2, deleted=True), message_id="m2")
    text = text_of(await console.submit("/console/why", {"profile_id": "p"}))
    assert re.search(
        r"was deleted .* ago , and is forgotten once each destination has heard of that: d has not yet", text
    )
    world.mend("d")
    await world.retry()
    text = text_of(await console.submit("/console/why", {"profile_id": "p"}))
    assert re.search(r"What happened The profile is forgotten: it was deleted .* ago", text)
    assert "2 would hear nothing: the profile is forgotten" in text
    await world.handle(item("p", 3, attributes={"x": 1}), message_id="m3")
    text = text_of(await console.submit("/console/why", {"profile_id": "p"}))
    assert re.search(r"The profile was deleted .* ago , and written anew since", text)
