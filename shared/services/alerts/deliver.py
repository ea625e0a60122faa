"""Sends events to those who subscribed: each attempt is claimed, made, and noted."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.alerts.delivery import AlertDelivery, after_attempt, claimed, delivery_key, given_up, not_attempted
from shared.domain.alerts.delivery import DeliveryState as State
from shared.domain.alerts.formats import content_of
from shared.domain.alerts.subscription import AlertSubscription, webhook_secret_name
from shared.domain.alerts.webhooks import check_webhook_url, signed_headers
from shared.domain.messages.pointers import DeliveryPointer
from shared.errors import ConflictError, NoSignInError, SecretError
from shared.ports.alerts import AlertStore, DeliveryQueue, Stored, WebhookAnswer, WebhookSender
from shared.ports.connections import SecretStore
from shared.ports.time import Clock


class DeliveryOutcome(StrEnum):
    """What came of a pointer. `outdated`: the attempt was made already, or somebody else makes it."""

    DELIVERED = "delivered"
    RETRYING = "retrying"
    FAILED = "failed"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverAlerts:
    """`local` is the app on the local stack, which may call what runs beside it."""

    store: AlertStore
    queue: DeliveryQueue
    secrets: SecretStore
    webhooks: WebhookSender
    clock: Clock
    local: bool

    async def handle(self, pointer: DeliveryPointer) -> DeliveryOutcome:
        """Make the attempt that `pointer` brings, if it is its turn. Raises StorageError."""
        stored = await self.store.deliveries.load(delivery_key(pointer.event_id, pointer.subscription_id))
        if stored is None:
            return DeliveryOutcome.OUTDATED
        attempt = claimed(stored.item, pointer.attempt, self.clock())
        if attempt is None:
            return DeliveryOutcome.OUTDATED
        stored.item = attempt
        try:
            await self.store.deliveries.save(stored)
        except ConflictError:
            return DeliveryOutcome.OUTDATED
        subscription = await self.store.subscriptions.load(pointer.subscription_id)
        if subscription is None:
            return await self._note(stored, given_up(attempt, "the subscription is gone"))
        delay: float | None
        try:
            answer = await self._post(subscription.item, attempt.event_id, attempt.body)
            after, delay = after_attempt(attempt, answer.problem, self.clock())
        except NoSignInError as error:
            after, delay = not_attempted(attempt, str(error), self.clock())
        outcome = await self._note(stored, after)
        if delay is not None:
            following = DeliveryPointer(pointer.event_id, pointer.subscription_id, after.attempts + 1)
            await self.queue.put(following, delay)
        return outcome

    async def send(self, subscription: AlertSubscription, event_id: str, event: str) -> WebhookAnswer:
        """Post the event once, in the subscription's format, signed as of now."""
        try:
            return await self._post(subscription, event_id, event)
        except NoSignInError as error:
            return WebhookAnswer(None, str(error))

    async def _post(self, subscription: AlertSubscription, event_id: str, event: str) -> WebhookAnswer:
        """Raises NoSignInError where the app could not sign in to read what it signs with: it has posted nothing."""
        body, content_type = content_of(event, subscription.format)
        try:
            url = check_webhook_url(subscription.url, local_allowed=self.local)
            secret = await self.secrets.read(webhook_secret_name(subscription.id))
            headers = signed_headers(secret, event_id, body, content_type, self.clock())
        except NoSignInError:
            raise
        except (SecretError, ValueError) as error:
            return WebhookAnswer(None, str(error))
        return await self.webhooks.post(url, headers, body)

    async def give_up(self, pointer: DeliveryPointer) -> None:
        """Note that a pointer failed at every delivery of the queue. Raises StorageError."""
        stored = await self.store.deliveries.load(delivery_key(pointer.event_id, pointer.subscription_id))
        if stored is not None and stored.item.state == State.PENDING:
            await self._note(stored, given_up(stored.item, "it could not be worked on: the app's log says why"))

    async def _note(self, stored: Stored[AlertDelivery], after: AlertDelivery) -> DeliveryOutcome:
        stored.item = after
        with suppress(ConflictError):  # taken for lost meanwhile, and attempted again
            await self.store.deliveries.save(stored)
        return DeliveryOutcome.RETRYING if after.state == State.PENDING else DeliveryOutcome(str(after.state))
