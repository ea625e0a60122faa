"""The judge of the simulator can fail: each bug that is put in the place of what the app does is found by a seed."""

from collections.abc import Callable

import pytest

from tests.faults.simulator.recipe import Recipe
from tests.faults.simulator.run import simulate
from tests.unit.faults import planted

Plant = Callable[[pytest.MonkeyPatch], None]
AMONG_THE_FIRST = 50
"""So many seeds are enough for most of them."""
OFTEN: tuple[Plant, ...] = (
    planted.drop_what_could_not_be_sent,
    planted.forget_what_is_due,
    planted.acknowledge_before_saving,
    planted.ignore_the_etag,
    planted.never_read_the_configuration_again,
)
SELDOM: dict[Plant, int] = {
    planted.settle_nothing: 133,
    planted.delete_the_row_before_its_retry: 1420,
    planted.save_a_slice_before_its_exports: 9946,
}
"""Each with the first seed, or one of the first, that finds it: `make simulate` plays 10,000."""


@pytest.mark.parametrize("plant", OFTEN)
def test_a_bug_is_found_by_one_of_the_first_seeds(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(simulate(Recipe(seed)).failures for seed in range(AMONG_THE_FIRST))


@pytest.mark.parametrize("plant", SELDOM)
def test_a_bug_that_takes_a_rare_moment_is_found_by_one_of_10000(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(SELDOM[plant])
    assert simulate(recipe).failures == []
    plant(monkeypatch)
    assert simulate(recipe).failures
