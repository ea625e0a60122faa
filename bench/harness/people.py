"""The made-up people of the measurement: profiles of a realistic size, members of the backfilled audience or not.

A profile has 20 attribute leaves, 3 identities and 10 memberships; its row takes about 1.3 kB, its export 2.5 kB.
"""

import random
from collections.abc import Iterator
from typing import Any

from shared.domain.instants import DAY
from shared.domain.profile.change import parse_change
from shared.domain.profile.memberships import AudienceKey
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from shared.ports.profiles import StoredProfile

DESTINATION = "crm"
NAMESPACE = "ups"
MEMBERS: AudienceKey = (NAMESPACE, "members")
WARM_UP: AudienceKey = (NAMESPACE, "warm-up")
"""Some of the members: a backfill of them opens all connections before one is measured."""
NOBODY: AudienceKey = (NAMESPACE, "nobody")
MEMBERSHIPS = 10
_WARM_UP_EVERY = 50
_OTHERS = [f"audience-{number:02}" for number in range(40)]
_WRITTEN_AT = "2026-01-11T21:24:39Z"
_STREETS = ("Hauptstraße", "Rue de la Gare", "High Street", "Via Roma", "Calle Mayor")
_CITIES = ("Berlin", "Lyon", "Bristol", "Torino", "Sevilla", "Gdańsk")


def configuration(hub: str) -> dict[str, Any]:
    """As it stands in a declarative file: one destination, whose exports have most of what a profile has."""
    ids = [MEMBERS[1], WARM_UP[1], *_OTHERS]
    return {
        "audiences": [{"id": each, "name": each.replace("-", " "), "mergePolicyId": "default"} for each in ids],
        "destinations": [
            {"id": DESTINATION, "name": "CRM", "eventHubName": hub, "includeSegmentNames": True},
        ],
        "dataflows": [
            {
                "id": DESTINATION,
                "audiences": [MEMBERS[1], WARM_UP[1]],
                "attributes": [
                    *("/person", "/personalEmail", "/mobilePhone", "/homeAddress/city", "/homeAddress/countryCode"),
                    *("/loyalty", "/preferredLanguage", "/lastPurchase", "/liveChange"),
                ],
            }
        ],
    }


def member_id(number: int) -> str:
    return f"member-{number:07}"


def outsider_id(number: int) -> str:
    return f"outsider-{number:07}"


def profile_ids(members: int, outsiders: int) -> Iterator[str]:
    yield from (member_id(number) for number in range(members))
    yield from (outsider_id(number) for number in range(outsiders))


def change(profile_id: str) -> dict[str, Any]:
    """What upstream wrote of the profile, all in one; the same for the same id."""
    chance = random.Random(profile_id)
    number = int(profile_id.rpartition("-")[2])
    return {
        "profileId": profile_id,
        "occurredAt": _WRITTEN_AT,
        "attributes": _attributes(chance, number),
        "identityMap": {
            "ecid": [{"id": f"{chance.getrandbits(126):038}"}],
            "email_lc_sha256": [{"id": f"{chance.getrandbits(256):064x}"}],
            "crmid": [{"id": f"C-{number:010}"}],
        },
        "segmentMembership": {NAMESPACE: {each: _entered(chance) for each in _audiences(chance, profile_id, number)}},
    }


def profile(profile_id: str, now: int) -> StoredProfile:
    """The profile as the app remembers it, not stored yet; the same for the same id and time."""
    state = ProfileState(profile_id)
    state.apply(parse_change(change(profile_id), now), now)
    state.next_version(now - DAY)
    return StoredProfile(state, None, profile_key(profile_id))


def _audiences(chance: random.Random, profile_id: str, number: int) -> list[str]:
    mapped = []
    if profile_id == member_id(number):
        mapped = [MEMBERS[1], *([] if number % _WARM_UP_EVERY else [WARM_UP[1]])]
    return mapped + chance.sample(_OTHERS, MEMBERSHIPS - len(mapped))


def _entered(chance: random.Random) -> dict[str, str]:
    return {"status": "realized", "lastQualificationTime": f"2026-01-{chance.randint(1, 10):02}T21:24:39Z"}


def _attributes(chance: random.Random, number: int) -> dict[str, Any]:
    first, last = f"Given{chance.getrandbits(24):x}", f"Family{chance.getrandbits(32):x}"
    return {
        "person": {
            "name": {"firstName": first, "lastName": last},
            "birthDate": f"{chance.randint(1940, 2007)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
            "gender": chance.choice(("female", "male", "non_specific")),
        },
        "personalEmail": {"address": f"{first}.{last}@example.com".lower()},
        "mobilePhone": {"number": f"+49 151 {chance.randint(10**7, 10**8 - 1)}"},
        "homeAddress": {
            "street1": f"{chance.choice(_STREETS)} {chance.randint(1, 200)}",
            "postalCode": f"{chance.randint(10_000, 99_999)}",
            "city": chance.choice(_CITIES),
            "countryCode": chance.choice(("DE", "FR", "GB", "IT", "ES", "PL")),
        },
        "loyalty": {
            "tier": chance.choice(("bronze", "silver", "gold")),
            "points": chance.randint(0, 100_000),
            "joinDate": f"20{chance.randint(10, 25)}-03-01",
        },
        "consents": {"marketing": {"email": {"val": "y"}, "push": {"val": chance.choice("yn")}}},
        "preferredLanguage": chance.choice(("de-DE", "fr-FR", "en-GB")),
        "lastPurchase": {
            "at": f"2025-12-{chance.randint(1, 31):02}T10:00:00Z",
            "amount": chance.randint(100, 99_999) / 100,
            "sku": f"SKU-{chance.getrandbits(32):08x}",
        },
        "lifetimeValue": chance.randint(0, 10_000),
        "liveChange": number,
    }
