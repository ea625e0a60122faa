"""The composition root: what a worker process is made of, built once, when the first message comes."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueClient

from shared.adapters import event_hubs, queues, retry_queue, tables
from shared.adapters.changes_queue import StorageChangesQueue
from shared.adapters.table_configuration import TableConfiguration
from shared.adapters.table_health import TableHealth
from shared.adapters.table_profiles import TableProfiles
from shared.adapters.table_quarantine import TableQuarantine
from shared.adapters.table_undelivered import TableUndelivered
from shared.services.circuit_breakers import CircuitBreakers
from shared.services.configuration_cache import ConfigurationCache
from shared.services.delivery import Delivery
from shared.services.export_changes import ExportChanges
from shared.services.poisoned import Poisoned
from shared.services.replay_quarantined import ReplayQuarantined
from shared.services.retry_export import RetryExport
from shared.services.watch_destinations import WatchDestinations
from shared.settings import RELAY_STORAGE, Settings


@dataclass(frozen=True, slots=True)
class Relay:
    """The services of this process over their adapters."""

    export_changes: ExportChanges
    retry_export: RetryExport
    watch_destinations: WatchDestinations
    poisoned: Poisoned
    replay_quarantined: ReplayQuarantined
    configuration: TableConfiguration
    undelivered: TableUndelivered
    _sender: event_hubs.EventHubsSender
    _clients: tuple[TableServiceClient | QueueClient, ...]

    async def close(self) -> None:
        """Close every connection; a Functions worker just ends instead."""
        await self._sender.close()
        await asyncio.gather(*(client.close() for client in self._clients))


def clock() -> int:
    """The time in microseconds since the epoch."""
    return time.time_ns() // 1_000


async def build(environment: Mapping[str, str]) -> Relay:
    """A relay for these app settings; tables and queue are created where missing. Raises SettingError, StorageError."""
    settings = Settings.from_environment(environment)
    accounts = {
        name: tables.connect(settings.tables(name))
        for name in dict.fromkeys((RELAY_STORAGE, *settings.profile_accounts))
    }
    retry_client, changes_client = (
        queues.connect(settings.queues(), name) for name in (retry_queue.NAME, settings.changes_queue)
    )
    home = accounts[RELAY_STORAGE]
    configuration_table, quarantine_table, undelivered_table = (
        tables.Table(home, name) for name in ("Configuration", "Quarantine", "Undelivered")
    )
    profile_tables = {
        name: tables.Table(accounts[name], "Profiles") for name in dict.fromkeys(settings.profile_accounts)
    }
    needed = (configuration_table, quarantine_table, undelivered_table, *profile_tables.values())
    retries = retry_queue.StorageRetryQueue(retry_client)
    clients: tuple[TableServiceClient | QueueClient, ...] = (*accounts.values(), retry_client, changes_client)
    creating = [retries.create_if_missing(), *(table.create_if_missing() for table in needed)]
    created = await asyncio.gather(*creating, return_exceptions=True)
    if failures := [failure for failure in created if failure is not None]:
        await asyncio.gather(*(client.close() for client in clients))
        raise failures[0]

    profiles = TableProfiles([profile_tables[name] for name in settings.profile_accounts])
    quarantine = TableQuarantine(quarantine_table)
    undelivered = TableUndelivered(undelivered_table)
    health = TableHealth(configuration_table)
    stored_configuration = TableConfiguration(configuration_table)
    configuration = ConfigurationCache(stored_configuration, health, clock, settings.config_cache_seconds)
    sender = event_hubs.EventHubsSender(settings.event_hubs, settings.send_timeout)
    breakers = CircuitBreakers(health, clock)
    delivery = Delivery(
        sender=sender,
        breakers=breakers,
        undelivered=undelivered,
        retries=retries,
        clock=clock,
        retry_delays=settings.retry_delays,
    )
    retry_export = RetryExport(
        profiles=profiles,
        configuration=configuration,
        sender=sender,
        breakers=breakers,
        undelivered=undelivered,
        retries=retries,
        clock=clock,
        retry_delays=settings.retry_delays,
    )
    return Relay(
        export_changes=ExportChanges(
            profiles=profiles,
            configuration=configuration,
            delivery=delivery,
            quarantine=quarantine,
            clock=clock,
            sleep=asyncio.sleep,
        ),
        retry_export=retry_export,
        watch_destinations=WatchDestinations(
            configuration=configuration,
            undelivered=undelivered,
            health=health,
            retry=retry_export,
            clock=clock,
            sleep=asyncio.sleep,
            retry_delays=settings.retry_delays,
            redrive_per_second=settings.redrive_per_second,
            grace=2 * settings.config_cache_seconds,
        ),
        poisoned=Poisoned(
            profiles=profiles,
            configuration=configuration,
            quarantine=quarantine,
            delivery=delivery,
            undelivered=undelivered,
            clock=clock,
        ),
        replay_quarantined=ReplayQuarantined(
            quarantine=quarantine, changes=StorageChangesQueue(changes_client, settings.changes_queue)
        ),
        configuration=stored_configuration,
        undelivered=undelivered,
        _sender=sender,
        _clients=clients,
    )


_relay: "asyncio.Task[Relay] | None" = None


async def relay() -> Relay:
    """The relay of this worker process, built by the first call; a failed build is tried anew by the next."""
    global _relay
    if _relay is None or (_relay.done() and (_relay.cancelled() or _relay.exception() is not None)):
        _relay = asyncio.ensure_future(build(os.environ))
    return await asyncio.shield(_relay)
