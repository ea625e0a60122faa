"""Alerts, their subscriptions and deliveries, in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Generic

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.delivery import AlertDelivery
from shared.domain.alerts.subscription import AlertSubscription
from shared.domain.messages.pointers import DeliveryPointer
from shared.errors import (
    ConflictError,
)
from shared.ports.alerts import Item, Stored, WebhookAnswer


class MemoryAlertRows(Generic[Item]):
    """`before` runs ahead of each request, as somebody else's might; what it raises, the request does."""

    def __init__(self, before: Callable[[str], None]) -> None:
        self.rows: dict[str, Stored[Item]] = {}
        self._before = before
        self._etags = count(1)

    async def all(self) -> list[Stored[Item]]:
        await self._answer("all")
        return [replace(self.rows[key]) for key in sorted(self.rows)]

    async def load(self, key: str) -> Stored[Item] | None:
        await self._answer("load")
        return replace(self.rows[key]) if key in self.rows else None

    async def save(self, stored: Stored[Item]) -> None:
        await self._answer("save")
        self._require_unchanged(self.rows.get(stored.item.key), stored.etag)
        stored.etag = f"etag-{next(self._etags)}"
        self.rows[stored.item.key] = replace(stored)

    async def delete(self, stored: Stored[Item]) -> None:
        await self._answer("delete")
        if current := self.rows.get(stored.item.key):
            self._require_unchanged(current, stored.etag)
            del self.rows[stored.item.key]

    async def _answer(self, what: str) -> None:
        await asyncio.sleep(0)
        self._before(what)

    @staticmethod
    def _require_unchanged(current: Stored[Item] | None, etag: str | None) -> None:
        if etag != (current.etag if current else None):
            raise ConflictError("somebody else saved the row first")


class MemoryAlerts:
    """`before` runs ahead of each request, as `MemoryAlertRows` says."""

    def __init__(self) -> None:
        self.before: Callable[[str], None] = lambda what: None
        self.subscriptions: MemoryAlertRows[AlertSubscription] = MemoryAlertRows(self._before)
        self.alerts: MemoryAlertRows[Alert] = MemoryAlertRows(self._before)
        self.deliveries: MemoryAlertRows[AlertDelivery] = MemoryAlertRows(self._before)

    def _before(self, what: str) -> None:
        self.before(what)


class MemoryDeliveryQueue:
    """`waiting` are (pointer, delay), in the order put."""

    def __init__(self) -> None:
        self.waiting: list[tuple[DeliveryPointer, float]] = []

    async def put(self, pointer: DeliveryPointer, delay: float) -> None:
        self.waiting.append((pointer, delay))


class ScriptedWebhooks:
    """Answers as `answers` says, in turn, then that the event was taken."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[WebhookAnswer] = []

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> WebhookAnswer:
        await asyncio.sleep(0)
        self.posted.append((url, headers, body))
        return self.answers.pop(0) if self.answers else WebhookAnswer(204, None)
