"""The judge of the simulator can fail: each bug that is put in the place of what the app does is found by a seed."""

from collections.abc import Callable

import pytest

from tests.faults.simulator.recipe import Recipe
from tests.faults.simulator.run import simulate
from tests.unit.faults import planted

Plant = Callable[[pytest.MonkeyPatch], None]
FOUND_BY: dict[Plant, int] = {
    planted.never_read_the_configuration_again: 1,
    planted.drop_what_could_not_be_sent: 3,
    planted.ignore_the_etag: 3,
    planted.acknowledge_before_saving: 9,
    planted.forget_what_is_due: 17,
    planted.settle_nothing: 27,
    planted.delete_the_row_before_its_retry: 1420,
}
"""A seed that finds it; that of the last takes a rare moment."""


@pytest.mark.parametrize("plant", FOUND_BY)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(FOUND_BY[plant])
    assert simulate(recipe).failures == []
    plant(monkeypatch)
    assert simulate(recipe).failures
