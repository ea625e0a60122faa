"""Everything that a worker process needs of the outside, as the composition root fills it in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.domain.messages.queue_kind import QueueKind
from shared.host_json import FailedMessages
from shared.ports.alerts import AlertStore, DeliveryQueue, WebhookSender
from shared.ports.audience_counts import AudienceCountStore
from shared.ports.audit import AuditLog
from shared.ports.backfills import BackfillStore, SliceQueue
from shared.ports.configuration import ConfigurationStore
from shared.ports.connections import HubVerifier, SecretStore
from shared.ports.consumers import CheckpointReader, HubProperties, LagStore
from shared.ports.exports import ExportSender
from shared.ports.health import HealthStore
from shared.ports.in_hand import MessagesInHand
from shared.ports.last_exports import LastExportsStore
from shared.ports.members import MemberIndex
from shared.ports.poison import PoisonQueues, PoisonRoundsStore
from shared.ports.profiles import ProfileStore
from shared.ports.quarantine import Quarantine
from shared.ports.queues import ChangesQueue, QueueCounter
from shared.ports.runs import MetricSink, RunStore
from shared.ports.time import Clock, Sleep
from shared.ports.timers import TimerStore
from shared.ports.tracing import Tracing
from shared.ports.undelivered import RetryQueue, UndeliveredStore
from shared.ports.uploads import UploadFiles


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
    audience_counts: AudienceCountStore
    last_exports: LastExportsStore
    timers: TimerStore
    metrics: MetricSink
    tracing: Tracing
    changes: ChangesQueue
    retries: RetryQueue
    slices: SliceQueue
    queues: QueueCounter
    queue_names: Mapping[QueueKind, str]
    messages_in_hand: MessagesInHand
    failed_messages: FailedMessages
    poison_queues: PoisonQueues
    poison_rounds: PoisonRoundsStore
    uploads: UploadFiles
    alerts: AlertStore
    alert_deliveries: DeliveryQueue
    webhooks: WebhookSender
    sender: ExportSender
    secrets: SecretStore
    verifier: HubVerifier
    checkpoints: CheckpointReader
    hub_properties: HubProperties
    consumer_lags: LagStore
    sign_in_failing_since: Callable[[], int | None]
    clock: Clock
    sleep: Sleep
    new_id: Callable[[], str]
