"""The fakes keep the contracts that the real adapters keep."""

import pytest

from shared.domain.exports.lag import Checkpoint
from shared.domain.messages.pointers import AnyPointer
from shared.domain.messages.queue_kind import QueueKind
from shared.ports.queues import ChangesQueue
from tests.contracts.alert_store import AlertStoreContract
from tests.contracts.audience_count_store import AudienceCountStoreContract
from tests.contracts.backfill_store import BackfillStoreContract
from tests.contracts.changes_queue import ChangesQueueContract
from tests.contracts.checkpoint_reader import CheckpointReaderContract, Write
from tests.contracts.configuration_store import ConfigurationStoreContract
from tests.contracts.health_store import HealthStoreContract
from tests.contracts.lag_store import LagStoreContract
from tests.contracts.last_exports_store import LastExportsStoreContract
from tests.contracts.member_index import MemberIndexContract
from tests.contracts.messages_in_hand import MessagesInHandContract
from tests.contracts.poison import BackOn, Poison, PoisonQueuesContract, PoisonRoundsContract
from tests.contracts.profile_store import ProfileStoreContract
from tests.contracts.quarantine import QuarantineContract
from tests.contracts.queue_counter import Put as PutMessage
from tests.contracts.queue_counter import QueueCounterContract
from tests.contracts.run_store import RunStoreContract
from tests.contracts.secret_store import SecretStoreContract
from tests.contracts.timer_store import TimerStoreContract
from tests.contracts.undelivered_store import UndeliveredStoreContract
from tests.contracts.upload_files import Put, UploadFilesContract
from tests.kit.builders import NOW
from tests.kit.fakes.alerts import MemoryAlerts
from tests.kit.fakes.backfills import MemoryBackfills, MemoryUploadFiles
from tests.kit.fakes.clock import ManualClock
from tests.kit.fakes.configuration import MemoryConfiguration, MemorySecrets
from tests.kit.fakes.delivery import MemoryHealth, MemoryUndelivered
from tests.kit.fakes.lags import MemoryCheckpoints, MemoryConsumerLags
from tests.kit.fakes.profiles import MemoryMembers, MemoryProfiles
from tests.kit.fakes.quarantine import MemoryQuarantine
from tests.kit.fakes.queues import MemoryChangesQueue, MemoryPoisonQueues, MemoryPoisonRounds, MemoryQueueCounter
from tests.kit.fakes.runs import MemoryAudienceCounts, MemoryLastExports, MemoryRuns, MemoryTimers
from tests.kit.memory_queues import MemoryMessagesInHand


class TestMemoryAlerts(AlertStoreContract):
    @pytest.fixture
    def store(self) -> MemoryAlerts:
        return MemoryAlerts()


class TestMemoryChangesQueue(ChangesQueueContract):
    @pytest.fixture
    def queue(self) -> MemoryChangesQueue:
        return MemoryChangesQueue()

    async def bodies(self, queue: ChangesQueue) -> list[bytes]:
        assert isinstance(queue, MemoryChangesQueue)
        return queue.bodies


class TestMemoryProfiles(ProfileStoreContract):
    @pytest.fixture
    def store(self) -> MemoryProfiles:
        return MemoryProfiles(size_limit=100_000)

    @pytest.fixture
    def too_large(self) -> str:
        return "x" * 100_000


class TestMemoryConfiguration(ConfigurationStoreContract):
    @pytest.fixture
    def store(self) -> MemoryConfiguration:
        return MemoryConfiguration()


class TestMemoryUndelivered(UndeliveredStoreContract):
    @pytest.fixture
    def store(self) -> MemoryUndelivered:
        return MemoryUndelivered()


class TestMemoryHealth(HealthStoreContract):
    @pytest.fixture
    def store(self) -> MemoryHealth:
        return MemoryHealth()


class TestMemoryTimers(TimerStoreContract):
    @pytest.fixture
    def store(self) -> MemoryTimers:
        return MemoryTimers()


class TestMemoryAudienceCounts(AudienceCountStoreContract):
    @pytest.fixture
    def store(self) -> MemoryAudienceCounts:
        return MemoryAudienceCounts()


class TestMemoryConsumerLags(LagStoreContract):
    @pytest.fixture
    def store(self) -> MemoryConsumerLags:
        return MemoryConsumerLags()


class TestMemoryCheckpoints(CheckpointReaderContract):
    @pytest.fixture
    def reader(self, container: str) -> MemoryCheckpoints:
        reader = MemoryCheckpoints()
        reader.containers[container] = []
        return reader

    @pytest.fixture
    def container(self) -> str:
        return "https://contoso.blob.core.windows.net/crm"

    @pytest.fixture
    def write(self, reader: MemoryCheckpoints, container: str) -> Write:
        async def write(namespace: str, hub: str, partition: str, sequence: int) -> None:
            found = Checkpoint(namespace, hub.lower(), "loader", partition, sequence, NOW)
            reader.containers[container].append(found)

        return write


class TestMemoryRuns(RunStoreContract):
    @pytest.fixture
    def store(self) -> MemoryRuns:
        return MemoryRuns()


class TestMemoryLastExports(LastExportsStoreContract):
    @pytest.fixture
    def store(self) -> MemoryLastExports:
        return MemoryLastExports()


class TestMemoryQuarantine(QuarantineContract):
    @pytest.fixture
    def quarantine(self) -> MemoryQuarantine:
        return MemoryQuarantine()


class TestMemoryMessagesInHand(MessagesInHandContract):
    @pytest.fixture
    def messages(self) -> MemoryMessagesInHand:
        return MemoryMessagesInHand(ManualClock(NOW))

    @pytest.fixture
    def host(self, messages: MemoryMessagesInHand) -> MemoryMessagesInHand:
        return messages


class TestMemoryQueueCounter(QueueCounterContract):
    @pytest.fixture
    def counter(self) -> MemoryQueueCounter:
        return MemoryQueueCounter(ManualClock(NOW))

    @pytest.fixture
    def put(self, counter: MemoryQueueCounter) -> PutMessage:
        async def put(kind: QueueKind, poison: bool, visible: bool) -> int:
            counter.put(kind, poison=poison, visible=visible)
            return NOW

        return put


class TestMemoryPoisonQueues(PoisonQueuesContract):
    @pytest.fixture
    def queues(self) -> MemoryPoisonQueues:
        return MemoryPoisonQueues(ManualClock(NOW))

    @pytest.fixture
    def poison(self, queues: MemoryPoisonQueues) -> Poison:
        async def poison(kind: QueueKind, body: bytes, pointer: AnyPointer | None) -> None:
            queues.put(kind, body, pointer)

        return poison

    @pytest.fixture
    def back_on(self, queues: MemoryPoisonQueues) -> BackOn:
        async def back_on(kind: QueueKind) -> list[bytes]:
            return [body for each, body, _ in queues.back if each == kind]

        return back_on


class TestMemoryPoisonRounds(PoisonRoundsContract):
    @pytest.fixture
    def rounds(self) -> MemoryPoisonRounds:
        return MemoryPoisonRounds()


class TestMemoryMembers(MemberIndexContract):
    @pytest.fixture
    def index(self) -> MemoryMembers:
        return MemoryMembers(ManualClock(NOW))


class TestMemoryBackfills(BackfillStoreContract):
    @pytest.fixture
    def store(self) -> MemoryBackfills:
        return MemoryBackfills()


class TestMemoryUploadFiles(UploadFilesContract):
    @pytest.fixture
    def files(self) -> MemoryUploadFiles:
        return MemoryUploadFiles()

    @pytest.fixture
    def put(self, files: MemoryUploadFiles) -> Put:
        return lambda access, body: files.put(access.url, body)


class TestMemorySecrets(SecretStoreContract):
    @pytest.fixture
    def store(self) -> MemorySecrets:
        return MemorySecrets()
