"""Whatever is late, fails or dies: once it is quiet, the last event of each profile is the greatest version."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.slow_hub import WORKERS, SlowHub
from tests.kit.builders import item, membership
from tests.kit.virtual_time import run_virtually

PAUSES = (0.0, 0.01, 0.05, 0.1, 0.9, 3.0)
DIES_AFTER = (None, None, None, 0.01, 0.05, 0.2)


def written(profile_id: str, number: int, what: str) -> dict[str, Any]:
    if what in ("realized", "exited"):
        return item(profile_id, number, segmentMembership=membership(number, what))
    return item(profile_id, number, attributes={what: number})


async def change_at_random(hub: SlowHub, rng: random.Random) -> None:
    for number in range(12):
        what = rng.choice(("realized", "exited", "x", "unmapped")) if number else "realized"
        for profile_id in "pqr":
            worker = rng.randrange(WORKERS)
            hub.send(f"{profile_id}{number}", written(profile_id, number, what), worker=worker)
            if dies_after := rng.choice(DIES_AFTER):
                asyncio.get_running_loop().call_later(dies_after, hub.kill, worker)
            await asyncio.sleep(rng.choice(PAUSES))


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_the_last_event_is_the_greatest_version(seed: int) -> None:
    async def main() -> None:
        hub = SlowHub(seed)
        await change_at_random(hub, random.Random(seed))
        await hub.settled()
        assert hub.out_of_order() == []

    run_virtually(main)


@pytest.mark.parametrize(("seconds_apart", "share"), [(60.0, 0.0), (5.0, 0.0), (0.3, 0.05)])
def test_what_is_sent_for_it_where_nothing_is_late(seconds_apart: float, share: float) -> None:
    """Three workers in turn change one profile, and each of its changes is exported: the worst there is."""

    async def main() -> float:
        hub = SlowHub(1, calm=True)
        for number in range(200):
            hub.send(f"m{number}", written("p", number, "x" if number else "realized"), worker=number % WORKERS)
            await asyncio.sleep(seconds_apart)
        await hub.settled()
        assert hub.out_of_order() == []
        return len(hub.stored) / len({(each.destination.id, each.version) for each in hub.stored}) - 1

    assert run_virtually(main) <= share


@pytest.mark.parametrize(("slow", "apart"), [(0.15, 0.1), (2.0, 1.2)], ids=["the later notices", "the slow one does"])
def test_an_event_comes_behind_that_of_a_later_change(slow: float, apart: float) -> None:
    """One worker or the other notices, and never both."""

    async def main() -> list[int]:
        """The versions as they came, by their place among all of them."""
        hub = SlowHub(1, calm=True)
        hub.arrival = {0: slow}
        for worker in range(2):
            hub.send(f"m{worker}", written("p", worker, "x" if worker else "realized"), worker=worker)
            await asyncio.sleep(apart)
        await hub.settled()
        versions = [export.version for export in hub.stored if export.destination.id == "d"]
        return [sorted(set(versions)).index(version) for version in versions]

    assert run_virtually(main) == [1, 0, 1]
