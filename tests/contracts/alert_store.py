"""The contract of AlertStore."""

import pytest

from shared.domain.alerts.alert import Alert, AlertEvent
from shared.domain.alerts.delivery import AlertDelivery, DeliveryState
from shared.domain.alerts.subscription import AlertSubscription
from shared.errors import ConflictError
from shared.ports.alerts import AlertStore, Stored
from tests.kit.builders import NOW

ALERT = Alert(
    id="1", destination_id="d", rule="activation-skipped", threshold=0.01, value=1 / 3, opened_at=NOW, resolved_at=0
)
SUBSCRIPTION = AlertSubscription(
    id="s",
    url="https://hooks.example.com/ü?a=b",
    events=["dead-rows"],
    destinations=["d"],
    thresholds={"dead-rows": 3.0},
)
DELIVERY = AlertDelivery(event_id="1-opened", subscription_id="s", body='{"ü":1}', created_at=NOW, due_at=NOW)


class AlertStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> AlertStore:
        raise NotImplementedError

    async def test_what_is_saved_is_read(self, store: AlertStore) -> None:
        await store.alerts.save(Stored(ALERT, None))
        await store.subscriptions.save(Stored(SUBSCRIPTION, None))
        await store.deliveries.save(Stored(DELIVERY, None))
        assert [stored.item for stored in await store.alerts.all()] == [ALERT]
        assert [stored.item for stored in await store.subscriptions.all()] == [SUBSCRIPTION]
        assert [stored.item for stored in await store.deliveries.all()] == [DELIVERY]
        found = await store.alerts.load(ALERT.key)
        assert found is not None
        assert found.item == ALERT
        assert await store.alerts.load(SUBSCRIPTION.key) is None
        assert await store.subscriptions.load("a/b#?%") is None

    async def test_only_what_was_read_is_replaced(self, store: AlertStore) -> None:
        await store.alerts.save(Stored(ALERT, None))
        with pytest.raises(ConflictError):
            await store.alerts.save(Stored(ALERT, None))
        first, second = await store.alerts.load(ALERT.key), await store.alerts.load(ALERT.key)
        assert first is not None
        assert second is not None
        first.item = ALERT.model_copy(update={"announced": AlertEvent.OPENED})
        await store.alerts.save(first)
        with pytest.raises(ConflictError):
            await store.alerts.save(second)
        first.item = first.item.model_copy(update={"value": 0.5})
        await store.alerts.save(first)
        (stored,) = await store.alerts.all()
        assert (stored.item.announced, stored.item.value) == (AlertEvent.OPENED, 0.5)

    async def test_only_what_was_read_is_deleted(self, store: AlertStore) -> None:
        stored = Stored(DELIVERY, None)
        await store.deliveries.save(stored)
        (outdated,) = await store.deliveries.all()
        stored.item = DELIVERY.model_copy(update={"state": DeliveryState.FAILED})
        await store.deliveries.save(stored)
        with pytest.raises(ConflictError):
            await store.deliveries.delete(outdated)
        await store.deliveries.delete(stored)
        await store.deliveries.delete(stored)
        assert await store.deliveries.all() == []
        with pytest.raises(ConflictError):
            await store.deliveries.save(stored)
