"""The composition root: what a worker process is made of, built once, when the first message comes."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from azure.data.tables.aio import TableServiceClient

from shared.adapters import event_hubs, tables
from shared.adapters.table_configuration import TableConfiguration
from shared.adapters.table_profiles import TableProfiles
from shared.adapters.table_quarantine import TableQuarantine
from shared.services.configuration_cache import ConfigurationCache
from shared.services.export_changes import ExportChanges
from shared.settings import RELAY_STORAGE, Settings


@dataclass(frozen=True, slots=True)
class Relay:
    """The services of this process over their adapters."""

    export_changes: ExportChanges
    configuration: TableConfiguration
    _sender: event_hubs.EventHubsSender
    _accounts: tuple[TableServiceClient, ...]

    async def close(self) -> None:
        """Close every connection; a Functions worker just ends instead."""
        await self._sender.close()
        await asyncio.gather(*(account.close() for account in self._accounts))


def clock() -> int:
    """The time in microseconds since the epoch."""
    return time.time_ns() // 1_000


async def build(environment: Mapping[str, str]) -> Relay:
    """A relay for these app settings, its tables created where they are missing. Raises SettingError, StorageError."""
    settings = Settings.from_environment(environment)
    accounts = {
        name: tables.connect(settings.tables(name))
        for name in (RELAY_STORAGE, *dict.fromkeys(settings.profile_accounts))
    }
    configuration_table = tables.Table(accounts[RELAY_STORAGE], "Configuration")
    quarantine_table = tables.Table(accounts[RELAY_STORAGE], "Quarantine")
    profile_tables = {
        name: tables.Table(accounts[name], "Profiles") for name in dict.fromkeys(settings.profile_accounts)
    }
    await asyncio.gather(
        *(table.create_if_missing() for table in (configuration_table, quarantine_table, *profile_tables.values()))
    )
    configuration = TableConfiguration(configuration_table)
    sender = event_hubs.EventHubsSender(settings.event_hubs, settings.send_timeout)
    export_changes = ExportChanges(
        profiles=TableProfiles([profile_tables[name] for name in settings.profile_accounts]),
        configuration=ConfigurationCache(configuration, clock, settings.config_cache_seconds),
        sender=sender,
        quarantine=TableQuarantine(quarantine_table),
        clock=clock,
        sleep=asyncio.sleep,
    )
    return Relay(export_changes, configuration, sender, tuple(accounts.values()))


_relay: "asyncio.Task[Relay] | None" = None


async def relay() -> Relay:
    """The relay of this worker process, built by the first call; a failed build is tried anew by the next."""
    global _relay
    if _relay is None or (_relay.done() and (_relay.cancelled() or _relay.exception() is not None)):
        _relay = asyncio.ensure_future(build(os.environ))
    return await asyncio.shield(_relay)
