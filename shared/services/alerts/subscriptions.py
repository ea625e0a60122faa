"""Subscriptions to alerts: made, changed, tried, removed. Each has a secret of its own, which is told once."""

import secrets as randomness
from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.alerts.subscription import AlertSubscription, SubscriptionDetails, webhook_secret_name
from shared.domain.alerts.webhooks import check_webhook_url, cloud_event, format_secret
from shared.errors import ConfigurationError, NoSecretStoreError, NoSuchSubscriptionError
from shared.ports.alerts import AlertStore, Stored, WebhookAnswer
from shared.ports.connections import SecretStore
from shared.ports.time import Clock
from shared.services.alerts.deliver import DeliverAlerts
from shared.services.configuration.edit import Check, unchecked

MOST = 100
"""How many subscriptions there may be."""
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class CreatedSubscription:
    """`secret` is what its events are signed with; it is not told again."""

    subscription: AlertSubscription
    secret: str

    def __repr__(self) -> str:
        return f"CreatedSubscription({self.subscription!r})"


class AlertSubscriptions:
    """`local` is the app on the local stack; `new_key` gives so many random bytes."""

    def __init__(
        self,
        *,
        store: AlertStore,
        secrets: SecretStore,
        deliver: DeliverAlerts,
        clock: Clock,
        new_id: Callable[[], str],
        local: bool,
        new_key: Callable[[int], bytes] = randomness.token_bytes,
    ) -> None:
        self._rows = store.subscriptions
        self._secrets = secrets
        self._deliver = deliver
        self._clock = clock
        self._new_id = new_id
        self._local = local
        self._new_key = new_key

    async def all(self) -> list[AlertSubscription]:
        """Raises StorageError."""
        return [stored.item for stored in await self._rows.all()]

    async def get(self, subscription_id: str) -> AlertSubscription:
        """Raises NoSuchSubscriptionError, StorageError."""
        return (await self._load(subscription_id)).item

    async def create(self, details: SubscriptionDetails) -> CreatedSubscription:
        """Raises ConfigurationError, NoSecretStoreError where there is no place for its secret, SecretError,
        StorageError.
        """
        self._check(details)
        if not self._secrets.writable:
            raise NoSecretStoreError(
                "there is no place to keep the secret that events are signed with: set the app setting KEY_VAULT_URI"
            )
        if len(await self._rows.all()) >= MOST:
            raise ConfigurationError(f"expected at most {MOST} subscriptions: delete one that is not needed any more")
        subscription = AlertSubscription(id=self._new_id(), **details.model_dump())
        secret = format_secret(self._new_key(_KEY_BYTES))
        # The secret first: a subscription without one could sign nothing.
        await self._secrets.store(webhook_secret_name(subscription.id), secret)
        await self._rows.save(Stored(subscription, None))
        return CreatedSubscription(subscription, secret)

    async def change(
        self, subscription_id: str, details: SubscriptionDetails, check: Check = unchecked
    ) -> AlertSubscription:
        """The subscription with other details and the same secret, unless `check` raises for the one there is.

        Raises ConfigurationError, NoSuchSubscriptionError, ConflictError, StorageError, and what `check` does.
        """
        self._check(details)
        stored = await self._load(subscription_id)
        check(stored.item)
        stored.item = AlertSubscription(id=subscription_id, **details.model_dump())
        await self._rows.save(stored)
        return stored.item

    async def delete(self, subscription_id: str, check: Check = unchecked) -> None:
        """Its secret goes, too, and what waits to be delivered. Raises as `change` does, and SecretError."""
        stored = await self._load(subscription_id)
        check(stored.item)
        # The row last: whoever deletes again after a failure of the store of secrets still finds it.
        await self._secrets.delete(webhook_secret_name(subscription_id))
        await self._rows.delete(stored)

    async def test(self, subscription_id: str) -> WebhookAnswer:
        """Send an event of no alert, once, and say what the receiver answered.

        Raises NoSuchSubscriptionError, StorageError.
        """
        subscription = await self.get(subscription_id)
        event_id, now = f"{self._new_id()}-test", self._clock()
        data = {"message": "This is a test: there is no alert."}
        return await self._deliver.send(subscription, event_id, cloud_event(event_id, "test", None, now, data))

    async def _load(self, subscription_id: str) -> Stored[AlertSubscription]:
        stored = await self._rows.load(subscription_id)
        if stored is None:
            raise NoSuchSubscriptionError(subscription_id)
        return stored

    def _check(self, details: SubscriptionDetails) -> None:
        try:
            check_webhook_url(details.url, local_allowed=self._local)
        except ValueError as error:
            raise ConfigurationError(f"/url: {error}") from None
