"""How fast a redrive goes: as fast as what it needs answers, and slower where live changes would suffer."""

from collections import Counter

import pytest

from shared.domain.exports.redrive_pace import FIRST, MOST, PATIENCE, PATIENCE_BESIDE_CHANGES, STEP, RedrivePace
from shared.domain.instants import SECOND
from shared.ports.undelivered import StoredUndelivered
from shared.services.configuration.cache import ConfigurationSnapshot
from shared.services.delivery.attempts import Attempt
from shared.services.delivery.redrive_pass import FAILURES_TO_STOP_AT
from shared.services.delivery.retry import RetryExport
from tests.kit.parked import parked

SOON = SECOND // 100


def going(pace: RedrivePace, took: int, times: int = 1, **how: bool) -> RedrivePace:
    for _ in range(times):
        pace = pace.after(took, **{"failed": False, "beside_changes": False} | how)
    return pace


def test_it_doubles_while_all_goes_well_up_to_a_limit() -> None:
    pace = RedrivePace(2_000)
    assert [going(pace, SOON, times).at_once for times in range(8)] == [3, 6, 12, 24, 48, 96, 192, MOST]
    assert going(pace, SOON, 20).at_once == MOST
    assert FIRST == FAILURES_TO_STOP_AT  # what is down is not sent more than a run may fail with


@pytest.mark.parametrize(
    ("took", "how"),
    [(PATIENCE + 1, {}), (PATIENCE_BESIDE_CHANGES + 1, {"beside_changes": True}), (SOON, {"failed": True})],
    ids=["slow", "slow for the changes beside it", "failed or held back"],
)
def test_it_halves_at_a_setback_and_grows_by_steps_from_then_on(took: int, how: dict[str, bool]) -> None:
    pace = going(RedrivePace(2_000), SOON, 5)
    after = going(pace, took, **how)
    assert after.at_once == pace.at_once // 2
    assert going(after, SOON, 2).at_once == pace.at_once // 2 + 2 * STEP
    assert going(pace, took, 20, **how).at_once == 1


def test_what_is_slow_beside_changes_is_not_where_there_are_none() -> None:
    assert going(RedrivePace(2_000), PATIENCE_BESIDE_CHANGES + 1).at_once == 2 * FIRST


@pytest.mark.parametrize(
    ("sent", "took", "beside_changes", "rest"),
    [
        (200, SOON, False, SECOND // 10 - SOON),
        (200, SECOND // 10, False, 0),
        (1, 2 * SECOND, False, 0),
        (1, SECOND // 2, True, SECOND // 2),
        (1, SECOND // 2, False, 0),
    ],
)
def test_it_rests_for_the_pace_and_as_long_again_as_was_slow(
    sent: int, took: int, beside_changes: bool, rest: int
) -> None:
    assert RedrivePace(2_000).rest(sent, took, beside_changes=beside_changes) == rest


async def test_every_row_is_sent_once_and_counted() -> None:
    world = await parked(500)
    began = world.clock.now
    outcome = await world.worker.watch_destinations.redrive("d")
    assert outcome.summary() == {"d": {"sent": 500}}
    assert world.rows == {}
    assert set(Counter(export.profile_id for export in world.sender.sent).values()) == {1}
    assert world.clock.now - began == 500 * SECOND // 2_000


async def test_what_is_slow_is_sent_less_at_a_time_and_gives_others_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await parked(100)
    attempt = RetryExport.attempt
    together: list[int] = []

    async def slow(retry: RetryExport, stored: StoredUndelivered, snapshot: ConfigurationSnapshot) -> Attempt:
        together.append(world.clock.now)
        done = await attempt(retry, stored, snapshot)
        if len(together) == 21 and world.clock.now == together[-1]:
            await world.clock.sleep(2)
        return done

    monkeypatch.setattr(RetryExport, "attempt", slow)
    outcome = await world.worker.watch_destinations.redrive("d")
    assert outcome.summary() == {"d": {"sent": 100}}
    waves = list(Counter(together).values())
    assert waves[:5] == [3, 6, 12, 6, 9]
