"""The contract of TimerStore."""

from dataclasses import replace

import pytest

from shared.domain.timers import TimerRun
from shared.errors import ConflictError
from shared.ports.timers import TimerStore
from tests.kit.builders import NOW

RUN = TimerRun("watch_destinations", "*/30 * * * * *", since=NOW, ran_at=NOW)


class TimerStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> TimerStore:
        raise NotImplementedError

    async def test_the_last_run_of_each_timer_is_kept(self, store: TimerStore) -> None:
        assert await store.load() == {}
        await store.put(RUN)
        later = replace(RUN, since=NOW + 1, ran_at=NOW + 1, schedule="0 * * * * *")
        other = TimerRun("sweep_profiles", "0 0 3 * * *", since=NOW)
        await store.put(later)
        await store.save(other)
        assert await store.load() == {RUN.name: later, other.name: other}

    async def test_only_what_was_read_is_replaced(self, store: TimerStore) -> None:
        await store.save(RUN)
        with pytest.raises(ConflictError):
            await store.save(RUN)
        read = (await store.load())[RUN.name]
        await store.save(replace(read, covered_at=NOW + 1))
        with pytest.raises(ConflictError):
            await store.save(replace(read, covered_at=NOW + 2))
        assert (await store.load())[RUN.name].covered_at == NOW + 1
