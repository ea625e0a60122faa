"""Everything that a worker process needs of the outside, as the composition root fills it in."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.services.alert_ports import AlertStore, DeliveryQueue, WebhookSender
from shared.services.audit import AuditLog
from shared.services.backfill_ports import BackfillStore, MemberIndex, SliceQueue
from shared.services.connection_ports import HubVerifier, SecretStore
from shared.services.health_ports import HealthStore
from shared.services.last_exports_ports import LastExportsStore
from shared.services.ports import ChangesQueue, Clock, ConfigurationStore, ExportSender, Sleep
from shared.services.profile_ports import ProfileStore
from shared.services.quarantine_ports import Quarantine
from shared.services.queue_ports import QueueCounter
from shared.services.run_ports import MetricSink, RunStore
from shared.services.tracing import Tracing
from shared.services.undelivered_ports import RetryQueue, UndeliveredStore
from shared.services.upload_ports import UploadFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    profiles: ProfileStore
    members: MemberIndex
    configuration: ConfigurationStore
    health: HealthStore
    quarantine: Quarantine
    undelivered: UndeliveredStore
    backfills: BackfillStore
    audit: AuditLog
    runs: RunStore
    last_exports: LastExportsStore
    metrics: MetricSink
    tracing: Tracing
    changes: ChangesQueue
    retries: RetryQueue
    slices: SliceQueue
    queues: QueueCounter
    uploads: UploadFiles
    alerts: AlertStore
    alert_deliveries: DeliveryQueue
    webhooks: WebhookSender
    sender: ExportSender
    secrets: SecretStore
    verifier: HubVerifier
    clock: Clock
    sleep: Sleep
    new_id: Callable[[], str]
