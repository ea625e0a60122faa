"""Writes samples/changes.ndjson: the life of one profile, then several hundred others. Same file at every run.

Run it from the project's folder: python samples/generate.py
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

PROFILES = 300
BUYER, READER, GOLD = (
    "9c1f6bd8-2a53-4d0e-8f6b-41f0c7a4d101",
    "3e0d5a17-77b4-4b1c-9a52-6d2f0f9be202",
    "b7a86f40-0d39-4c57-b7c8-95a1de3cf303",
)
FIRST_NAMES = ["Aiko", "Amara", "Björn", "Carmen", "Dmitri", "Élodie", "Fatima", "Giulia", "Hiroshi", "Ines", "Jamal"]
LAST_NAMES = ["Andersson", "Becker", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Novák"]
TIERS = ["bronze", "silver", "gold", "platinum"]

random_ = random.Random(20260111)
clock = datetime(2026, 1, 11, 21, 0, tzinfo=UTC)


def now() -> str:
    """A moment later than the last one."""
    global clock
    clock += timedelta(milliseconds=random_.randint(50, 900))
    return clock.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def change(profile_id: str, **written: Any) -> dict[str, Any]:
    return {"profileId": profile_id, "occurredAt": now(), **written}


def membership(status: str, *audiences: str, namespace: str = "ups") -> dict[str, Any]:
    entry = {"status": status, "lastQualificationTime": clock.isoformat(timespec="seconds").replace("+00:00", "Z")}
    return {namespace: dict.fromkeys(audiences, entry)}


def identities(email: str, *ecids: str) -> dict[str, Any]:
    hashed = sha256(email.encode()).hexdigest()
    return {"ecid": [{"id": ecid} for ecid in ecids], "email_lc_sha256": [{"id": hashed}]}


def life_of_john() -> Iterator[dict[str, Any]]:
    """Qualifies, changes an attribute, gets an identity, has a value overwritten with itself, exits."""
    john, email = "john.doe", "john.doe@acme.com"
    ecids = ["14575006536349286404619648085736425115", "66478888669296734530114754794777368480"]
    yield change(
        john,
        attributes={
            "person": {"birthDate": "1985-07-03", "name": {"firstName": "John", "lastName": "Doe"}},
            "personalEmail": {"address": email},
            "loyalty": {"tier": "silver", "points": 1200},
        },
        identityMap=identities(email, ecids[0]),
        segmentMembership=membership("realized", BUYER, READER),
    )
    yield change(john, attributes={"loyalty": {"tier": "gold"}})
    yield change(john, identityMap=identities(email, *ecids))
    yield change(john, attributes={"loyalty": {"tier": "gold"}})
    yield change(john, attributes={"browser": {"lastPage": "/pricing"}})
    yield change(john, segmentMembership=membership("exited", BUYER))


def arrival(number: int) -> dict[str, Any]:
    first, last = random_.choice(FIRST_NAMES), random_.choice(LAST_NAMES)
    email = f"{first}.{last}.{number}@example.com".lower()
    tier = random_.choices(TIERS, [60, 25, 12, 3])[0]
    audiences = [
        *([BUYER] if random_.random() < 0.3 else []),
        *([READER] if random_.random() < 0.5 else []),
        *([GOLD] if tier in {"gold", "platinum"} else []),
    ]
    born = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(days=random_.randint(0, 20_000))
    fields: dict[str, Any] = {
        "attributes": {
            "person": {"birthDate": born.date().isoformat(), "name": {"firstName": first, "lastName": last}},
            "personalEmail": {"address": email},
            "mobilePhone": {"number": f"+49 151 {random_.randint(1_000_000, 9_999_999)}"},
            "loyalty": {"tier": tier, "points": random_.randint(0, 9_000)},
            "consents": {"marketing": {"email": {"val": random_.choice("yn")}}},
        },
        "identityMap": identities(email, str(random_.randint(10**37, 10**38 - 1))),
    }
    if random_.random() < 0.1:
        fields["segmentMembership"] = membership("realized", "trade-fair-2026", namespace="uploads")
    if audiences:
        fields["segmentMembership"] = fields.get("segmentMembership", {}) | membership("realized", *audiences)
    return change(f"customer/{number:04}", **fields)


def later(number: int) -> Iterator[dict[str, Any]]:
    profile_id = f"customer/{number:04}"
    for _ in range(random_.choice([0, 0, 1, 2, 3])):
        kind = random_.random()
        if kind < 0.4:
            yield change(profile_id, attributes={"loyalty": {"points": random_.randint(0, 9_000)}})
        elif kind < 0.6:
            yield change(profile_id, attributes={"browser": {"lastPage": random_.choice(["/", "/shop", "/pricing"])}})
        elif kind < 0.8:
            yield change(profile_id, segmentMembership=membership(random_.choice(["realized", "exited"]), BUYER))
        else:
            yield change(profile_id, attributes={"mobilePhone": {"number": None}})


def main() -> None:
    changes = list(life_of_john())
    changes += [arrival(number) for number in range(PROFILES)]
    changes += [written for number in range(PROFILES) for written in later(number)]
    changes += random_.sample(changes, 10)  # what a queue delivers twice
    changes.append(change("customer/0000", segmentMembership=membership("qualified", BUYER)))  # no such status
    lines = (json.dumps(written, ensure_ascii=False, separators=(",", ":")) for written in changes)
    Path(__file__).with_name("changes.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(changes)} changes of {PROFILES + 1} profiles")


if __name__ == "__main__":
    main()
