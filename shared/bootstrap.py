"""The composition root: what a worker process is made of, built once, when the first message comes."""

import asyncio
import gc
import os
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared.adapters.checkpoints import BlobCheckpoints
from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.properties import EventHubsProperties
from shared.adapters.event_hubs.sender import EventHubsSender
from shared.adapters.event_hubs.verifier import EventHubsVerifier
from shared.adapters.identity import sign_in_failing_since
from shared.adapters.queues import in_hand, queue
from shared.adapters.queues.changes import StorageChangesQueue
from shared.adapters.queues.counter import StorageQueueCounter
from shared.adapters.queues.leave import LeaveMessages
from shared.adapters.queues.pointers import ALERT_DELIVERIES, RETRIES, SLICES, StoragePointerQueue
from shared.adapters.queues.poison import StoragePoisonQueues
from shared.adapters.secrets.stores import ClosableSecretStore, secret_store
from shared.adapters.tables.alerts import TableAlerts
from shared.adapters.tables.audience_counts import TableAudienceCounts
from shared.adapters.tables.audit import TableAudit
from shared.adapters.tables.backfills import TableBackfills
from shared.adapters.tables.configuration import TableConfiguration
from shared.adapters.tables.consumer_lags import TableConsumerLags
from shared.adapters.tables.health import TableHealth
from shared.adapters.tables.last_exports import TableLastExports
from shared.adapters.tables.members import TableMembers
from shared.adapters.tables.poison_rounds import TablePoisonRounds
from shared.adapters.tables.profiles import TableProfiles
from shared.adapters.tables.quarantine import TableQuarantine
from shared.adapters.tables.runs import TableRuns
from shared.adapters.tables.service import table
from shared.adapters.tables.timers import TableTimers
from shared.adapters.tables.undelivered import TableUndelivered
from shared.adapters.upload_files import BlobUploadFiles
from shared.adapters.webhook_sender import HttpWebhookSender
from shared.concurrency import all_of
from shared.domain.host_names import as_the_host_reads
from shared.domain.messages.queue_kind import QueueKind
from shared.host_json import failed_messages
from shared.hosting import RELAY_STORAGE
from shared.ports.in_hand import MessageInHand
from shared.services.wiring import Services
from shared.services.worker_ports import Ports
from shared.settings import Settings, changes_queue, queue_connection
from shared.stopping import before_the_end
from shared.telemetry import metrics_and_traces

Clients: TypeAlias = tuple[table.Account | QueueClient | QueueServiceClient, ...]


@dataclass(frozen=True, slots=True)
class Relay:
    """The services of this process over their adapters, which are there to be looked into."""

    services: Services
    configuration: TableConfiguration
    undelivered: TableUndelivered
    backfills: TableBackfills
    _uploads: BlobUploadFiles
    _sender: EventHubsSender
    _secrets: ClosableSecretStore
    _clients: Clients

    async def close(self) -> None:
        """Save what was counted and close every connection; a Functions worker just ends instead."""
        await self.services.runs.flush()
        await self._sender.close()
        await self._uploads.close()
        await all_of([self._secrets.close(), *(client.close() for client in self._clients)])


def clock() -> int:
    """The time in microseconds since the epoch."""
    return time.time_ns() // 1_000


async def build(environment: Mapping[str, str]) -> Relay:
    """A relay for these app settings; tables and queues are made where missing. Raises SettingError, StorageError."""
    settings = Settings.from_environment(environment)
    secrets = secret_store(settings)
    accounts = {
        name: table.Account(settings.tables(name))
        for name in dict.fromkeys((RELAY_STORAGE, *settings.profile_accounts))
    }
    queue_names = _queue_names(settings.changes_queue)
    changes_client, *own_clients = (queue.connect(settings.queues(), name) for name in queue_names.values())
    queue_account = queue.connect_account(settings.queues())
    notes_account = queue.connect_account(settings.queues(), queue.IN_PASSING)
    clients: Clients = (*accounts.values(), changes_client, *own_clients, queue_account, notes_account)
    home = {
        name: table.Table(accounts[RELAY_STORAGE], name)
        for name in (
            "Alerts",
            "AudienceMembers",
            "Audit",
            "Backfills",
            "Configuration",
            "LastExports",
            "Quarantine",
            "Runs",
            "Undelivered",
        )
    }
    profile_tables = {
        name: table.Table(accounts[name], "Profiles") for name in dict.fromkeys(settings.profile_accounts)
    }
    retries, slices, deliveries = (queue.Queue(client) for client in own_clients)
    notes = queue.Queue(notes_account.get_queue_client(in_hand.QUEUE))
    own_queues = [retries, slices, deliveries, notes]
    needed: list[table.Table | queue.Queue] = [*own_queues, *home.values(), *profile_tables.values()]
    await _all_or_close([each.create_if_missing() for each in needed], clients)

    metrics, tracing = metrics_and_traces(settings.application_insights)
    connections = HubConnections(settings.event_hubs, secrets, local=settings.is_local)
    sender = EventHubsSender(
        connections,
        settings.send_timeout,
        connections_per_hub=settings.connections_per_hub,
        partitions_known_for=settings.partitions_known_for,
        tracing=tracing,
    )
    configuration = TableConfiguration(home["Configuration"], settings.oldest_release)
    undelivered = TableUndelivered(home["Undelivered"])
    backfills = TableBackfills(home["Backfills"])
    uploads = BlobUploadFiles(settings.blobs)
    ports = Ports(
        profiles=TableProfiles([profile_tables[name] for name in settings.profile_accounts]),
        members=TableMembers(home["AudienceMembers"]),
        configuration=configuration,
        health=TableHealth(home["Configuration"]),
        quarantine=TableQuarantine(home["Quarantine"]),
        undelivered=undelivered,
        backfills=backfills,
        audit=TableAudit(home["Audit"]),
        runs=TableRuns(home["Runs"]),
        audience_counts=TableAudienceCounts(home["Runs"]),
        last_exports=TableLastExports(home["LastExports"]),
        timers=TableTimers(home["Configuration"]),
        metrics=metrics,
        tracing=tracing,
        changes=StorageChangesQueue(changes_client, settings.changes_queue),
        retries=StoragePointerQueue(RETRIES, retries),
        slices=StoragePointerQueue(SLICES, slices),
        queues=StorageQueueCounter(queue_account, queue_names),
        queue_names=queue_names,
        failed_messages=failed_messages(environment),
        messages_in_hand=in_hand.StorageMessagesInHand(notes_account),
        poison_queues=StoragePoisonQueues(queue_account, queue_names),
        poison_rounds=TablePoisonRounds(home["Quarantine"]),
        uploads=uploads,
        alerts=TableAlerts(home["Alerts"]),
        alert_deliveries=StoragePointerQueue(ALERT_DELIVERIES, deliveries),
        webhooks=HttpWebhookSender(),
        sender=sender,
        secrets=secrets,
        verifier=EventHubsVerifier(settings.local_broker_control_port),
        checkpoints=BlobCheckpoints(settings.blobs),
        hub_properties=EventHubsProperties(connections),
        consumer_lags=TableConsumerLags(home["Runs"]),
        sign_in_failing_since=sign_in_failing_since,
        clock=clock,
        sleep=asyncio.sleep,
        new_id=lambda: uuid.uuid4().hex,
    )
    return Relay(Services(ports, settings), configuration, undelivered, backfills, uploads, sender, secrets, clients)


async def _all_or_close(creating: list[Coroutine[Any, Any, None]], clients: Clients) -> None:
    try:
        await all_of(creating)
    except BaseException:
        await all_of(client.close() for client in clients)
        raise


def spare_the_collector() -> None:
    """Let Python's cyclic garbage collector look at less, and less often: it took a seventh of the CPU of a change.

    What is there by now stays as long as the process; changes make few cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


_ENVIRONMENT = os.environ
_relay: "asyncio.Task[Relay] | None" = None


async def relay() -> Relay:
    """The relay of this worker process, built by the first call; a failed build is tried anew by the next."""
    global _relay
    if _relay is None or (_relay.done() and (_relay.cancelled() or _relay.exception() is not None)):
        _relay = asyncio.ensure_future(_build_for_good())
    return await asyncio.shield(_relay)


async def _build_for_good() -> Relay:
    built = await build(_ENVIRONMENT)
    spare_the_collector()
    before_the_end(built.services.hold_messages.let_go)
    return built


async def leave_message(kind: QueueKind, message_id: str, receipt: str, deliveries: int, body: bytes) -> float:
    """Leave a message on its queue that cannot be worked on, as a setting is wrong; in how many seconds it comes again.

    Raises SettingError where it cannot be told by which account, StorageError.
    """
    environment = as_the_host_reads(_ENVIRONMENT, RELAY_STORAGE, connection=True)
    changes = changes_queue(as_the_host_reads(_ENVIRONMENT, "PROFILE_CHANGES_QUEUE"))
    connection, failed = queue_connection(environment), failed_messages(environment)
    message = MessageInHand(_queue_names(changes)[kind], message_id, receipt)
    async with queue.connect_account(connection, queue.IN_PASSING) as account:
        return await LeaveMessages(account, failed).leave(message, deliveries, body)


def _queue_names(changes: str) -> dict[QueueKind, str]:
    return {
        QueueKind.CHANGES: changes,
        QueueKind.RETRIES: RETRIES.name,
        QueueKind.SLICES: SLICES.name,
        QueueKind.ALERTS: ALERT_DELIVERIES.name,
    }


def app_settings() -> Mapping[str, str]:
    """Of this worker process, whether they would do or not."""
    return _ENVIRONMENT
