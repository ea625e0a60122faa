"""The contract of ConfigurationStore."""

import pytest

from shared.domain.configuration.model import Shadow
from shared.errors import ConflictError
from shared.ports.configuration import ConfigurationStore
from tests.kit.builders import configuration, destination

DOCUMENT = {
    "audiences": [{"id": "a", "name": "Ä", "mergePolicyId": "m"}],
    "destinations": [destination("d", includeSegmentNames=True)],
    "dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/person"], "triggers": {"identity": False}}],
}


class ConfigurationStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> ConfigurationStore:
        raise NotImplementedError

    async def test_there_is_none_at_first(self, store: ConfigurationStore) -> None:
        stored = await store.load()
        assert (stored.configuration.revision, stored.etag) == (0, None)

    async def test_what_is_saved_is_read(self, store: ConfigurationStore) -> None:
        await store.save(configuration(DOCUMENT), None)
        stored = await store.load()
        assert stored.configuration == configuration(DOCUMENT)
        await store.save(stored.configuration.model_copy(update={"revision": 2}), stored.etag)
        assert (await store.load()).configuration.revision == 2

    async def test_a_shadow_is_read_as_it_was_saved_and_is_gone_with_the_next_save_without_it(
        self, store: ConfigurationStore
    ) -> None:
        made = configuration(DOCUMENT)
        shadow = Shadow(candidate=made.dataflows[0], started_at=1, ends_at=2, revision=2, live_revision=1)
        await store.save(made.model_copy(update={"shadows": [shadow], "revision": 2}), None)
        stored = await store.load()
        assert stored.configuration.shadows == [shadow]
        await store.save(made.model_copy(update={"revision": 3}), stored.etag)
        assert (await store.load()).configuration.shadows == []

    async def test_one_that_nobody_saved_since_is_made_once(self, store: ConfigurationStore) -> None:
        await store.save(configuration(DOCUMENT), None)
        stored = await store.load()
        assert (await store.load()).configuration is stored.configuration
        await store.save(stored.configuration.model_copy(update={"revision": 2}), stored.etag)
        again = await store.load()
        assert (again.configuration.revision, stored.configuration.revision) == (2, 1)
        assert (await store.load()).configuration is again.configuration

    async def test_only_one_of_two_saves(self, store: ConfigurationStore) -> None:
        await store.save(configuration(DOCUMENT), None)
        with pytest.raises(ConflictError):
            await store.save(configuration(DOCUMENT), None)
        stored = await store.load()
        await store.save(stored.configuration, stored.etag)
        with pytest.raises(ConflictError):
            await store.save(stored.configuration, stored.etag)
