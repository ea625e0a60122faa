"""The profiles, the dataflow and the changes of the measurement: the same for everybody who is measured.

Seven of ten changes write attributes, two an audience membership (one enters an audience, one leaves one), one the
identity map; each calls for exactly one export. No two changes of a profile write the same register, so that the
profile ends the same in whatever order they are applied.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.harness import people
from shared.domain.instants import MINUTE, SECOND, format_instant
from shared.domain.messages.batches import MessageBatches

COLD, PUBLISHED = "cold", "published"
CHANGES_A_PROFILE = {COLD: 1, PUBLISHED: 4}
"""Cold: every change is of a profile that was not seen before. Published: four of each, anywhere among the others."""
DECK = 40
"""Changes come in multiples of this, in which the shares of all kinds are exact."""
ENTERED = "entered"
_IDENTITIES, _MEMBERSHIPS = DECK // 10, DECK // 5
_AGO = MINUTE
_KEPT = {people.MEMBERS, people.WARM_UP}


@dataclass(frozen=True, kw_only=True)
class Batch:
    """`changes`, a multiple of DECK, of the profiles from number `first` on; `at` is now in microseconds."""

    mix: str
    first: int
    changes: int
    at: int

    @property
    def profiles(self) -> range:
        """The numbers of the profiles."""
        return range(self.first, self.first + self.changes // CHANGES_A_PROFILE[self.mix])


def configuration(hub: str) -> dict[str, Any]:
    """As it stands in a declarative file: one destination that maps each audience and attribute written here."""
    document = people.configuration(hub)
    document["audiences"].append({"id": ENTERED, "name": "Entered", "mergePolicyId": "default"})
    document["dataflows"][0]["audiences"] = [audience["id"] for audience in document["audiences"]]
    return document


def changes_of(batch: Batch) -> list[dict[str, Any]]:
    """The changes in the order in which they go on the queue; the same for an equal batch."""
    chance = random.Random(f"{batch.mix} {batch.first}")
    each = CHANGES_A_PROFILE[batch.mix]
    changes: list[tuple[int, dict[str, Any]]] = []
    for start in range(0, len(batch.profiles), DECK // each):
        numbers = batch.profiles[start : start + DECK // each]
        apart = each == 1  # then nobody is dealt two kinds
        with_identity = chance.sample(numbers, _IDENTITIES)
        rest = [number for number in numbers if not (apart and number in with_identity)]
        with_membership = chance.sample(rest, _MEMBERSHIPS)
        changes += [(number, _identities(chance)) for number in with_identity]
        for place, number in enumerate(with_membership):
            # Every second one enters an audience that it was never in, the others leave one.
            changes.append((number, _membership(ENTERED, "realized") if place % 2 else _exit(number, batch.at)))
        for number in numbers:
            others = (number in with_identity) + (number in with_membership)
            changes += [(number, _attributes(chance, which)) for which in range(each - others)]
    chance.shuffle(changes)
    began = batch.at - _AGO
    return [
        {"profileId": people.member_id(number), "occurredAt": format_instant(began + place * SECOND // 1_000)} | change
        for place, (number, change) in enumerate(changes)
    ]


def messages_of(changes: Sequence[str], most_changes: int | None = None) -> list[str]:
    """The texts of queue messages with `changes` (JSON) in them: up to 64 KiB, or `most_changes` in each."""
    batches = MessageBatches(most_changes=most_changes)
    full = [batches.add(number, change) for number, change in enumerate(changes)]
    return [message.text for message in [*full, batches.flush()] if message is not None]


def _identities(chance: random.Random) -> dict[str, Any]:
    return {
        "identityMap": {
            "ecid": [{"id": f"{chance.getrandbits(126):038}"}],
            "email_lc_sha256": [{"id": f"{chance.getrandbits(256):064x}"}],
            "crmid": [{"id": f"C-{chance.getrandbits(32):010}"}],
        }
    }


def _exit(number: int, now: int) -> dict[str, Any]:
    """From an audience that the profile is in. It stays in `people.MEMBERS`, so that all its changes are exported."""
    memberships = people.profile(people.member_id(number), now).state.memberships
    return _membership(next(key[1] for key in memberships if key not in _KEPT), "exited")


def _membership(audience: str, status: str) -> dict[str, Any]:
    entry = {"status": status, "lastQualificationTime": "2026-01-12T08:00:00Z"}
    return {"segmentMembership": {people.NAMESPACE: {audience: entry}}}


def _attributes(chance: random.Random, which: int) -> dict[str, Any]:
    """The profile's attribute change number `which`, at most four."""
    patches: list[dict[str, Any]] = [
        {"loyalty": {"tier": chance.choice(("bronze", "silver", "gold")), "points": chance.randint(0, 100_000)}},
        {"lastPurchase": {"amount": chance.randint(100, 99_999) / 100, "sku": f"SKU-{chance.getrandbits(32):08x}"}},
        {"personalEmail": {"address": f"{chance.getrandbits(40):x}@example.com"}},
        {"mobilePhone": {"number": f"+49 151 {chance.randint(10**7, 10**8 - 1)}"}, "preferredLanguage": "de-DE"},
    ]
    return {"attributes": patches[which]}
